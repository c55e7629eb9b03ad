import Foundation
import HearthCompute
import HearthFormats
import HearthInference
import Support
import Testing

/// Folders that are well-formed and still no model Hearth runs, and those that are not. What Hearth computes of folders is held
/// against mlx-lm by Tests/parity/folders.py.
@Suite struct ModelFolderTests {
    private func load(_ change: (inout HuggingFaceWriter) -> Void) throws -> LanguageModel {
        var writer = HuggingFaceWriter()
        change(&writer)
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try writer.write(to: folder)
        return try LanguageModel(path: folder, device: try Device.open(.cpu))
    }

    private func problem(_ change: (inout HuggingFaceWriter) -> Void) -> String {
        do { _ = try load(change) } catch let error as FormatError { return "\(error)" } catch {
            return "not ours: \(error)"
        }
        return "accepted"
    }

    @Test func aFolderIsAModel() throws {
        let language = try load {
            $0.files["chat_template.jinja"] = Data("{{ bos_token }}{{ messages[0].content }}{{ eos_token }}".utf8)
            $0.files["tokenizer_config.json"] = Data(#"{"eos_token": {"content": "<end>"}}"#.utf8)
        }
        #expect(language.tokenizer.encode("abc") == [2, 3] && language.tokenizer.vocabularySize == 6)
        #expect(language.parameterCount == 6 * 64 + 3 * 64 + 7 * 64 * 64 && language.contextLength == 128)
        // What a user writes is no end; what the template writes is one.
        #expect(try language.chatPrompt([.init(role: "user", content: "ab<end>c")]) == [2, 3, 4])
    }

    @Test func fieldsThatAskForMoreAreNamed() throws {
        for (field, value) in [
            ("model_type", "mamba"), ("hidden_act", "relu"), ("quantization_config", ["bits": 4]),
            ("rope_scaling", ["type": "yarn", "factor": 4]), ("sliding_window", 64), ("hidden_size", "wide"),
            ("partial_rotary_factor", 0.5), ("tie_word_embeddings", 1.5), ("num_hidden_layers", -1),
            ("eos_token_id", -1), ("eos_token_id", 6), ("eos_token_id", "</s>"), ("use_bidirectional_attention", true),
            ("tie_word_embeddings", false), ("max_position_embeddings", NSNull()),
        ] as [(String, Any)] {
            let text = problem { $0.config[field] = value }
            let named = field == "rope_scaling" ? "rope_scaling.type" : field
            #expect(text.contains("config.json: \(named)"), "\(text)")
        }
        #expect(problem { $0.config["num_attention_heads"] = 7 }.contains("config.json: llama.attention.head_count"))
    }

    @Test func tokenizersThatAskForMoreAreNamed() throws {
        for (field, value, named) in [
            ("normalizer", ["type": "Lowercase"], "normalizer: {"),
            ("pre_tokenizer", ["type": "ByteLevel", "add_prefix_space": true], "pre_tokenizer: {"),
            ("pre_tokenizer", ["type": "Split", "pattern": ["Regex": "(("], "behavior": "Isolated"], "expression (("),
            ("model", ["type": "WordPiece"], "model.type: 'WordPiece'"),
            ("model", ["type": "BPE", "vocab": ["a": "b"], "merges": []], "model.vocab: 'a'"),
            ("model", ["type": "BPE", "vocab": ["a": 1], "merges": ["a"]], "model.merges[0]"),
            ("model", ["type": "Unigram", "vocab": [["a"]]], "model.vocab[0]"),
            (
                "pre_tokenizer",
                ["type": "Split", "pattern": ["Regex": "[\u{F900}-\u{FAFF}]"], "behavior": "Isolated"], "canonical"
            ),
            (
                "pre_tokenizer", ["type": "Split", "pattern": ["Regex": #"[\uF900-\uFAFF]"#], "behavior": "Isolated"],
                "canonical"
            ),
            (
                "pre_tokenizer",
                ["type": "Split", "pattern": ["Regex": String(repeating: "(", count: 3000)], "behavior": "Isolated"],
                "64 deep"
            ), ("pre_tokenizer", NSNull(), "only text in bytes"),
            ("normalizer", ["type": "Sequence", "normalizers": [["type": "NFC"], ["type": "NFKC"]]], "normalizer: {"),
            ("post_processor", ["type": "BertProcessing"], "'BertProcessing'"),
            (
                "post_processor", ["type": "TemplateProcessing", "single": [["SpecialToken": ["id": "<s>"]]]],
                "'<s>' is not"
            ),
            ("added_tokens", [["id": 4, "content": "x", "lstrip": true]], "added_tokens[0].lstrip"),
            (
                "post_processor",
                [
                    "type": "TemplateProcessing",
                    "single": [["Sequence": ["id": "A"]], ["SpecialToken": ["id": "</s>"]]],
                ],
                "post_processor"
            ),
        ] as [(String, Any, String)] {
            let text = problem { $0.tokenizer[field] = value }
            #expect(text.contains("tokenizer.json: ") && text.contains(named), "\(text)")
        }
    }

    @Test func tensorsThatDoNotFitAreNamed() throws {
        #expect(problem { $0.tensors.removeLast() }.contains("no tensor blk.0.ffn_norm.weight"))
        #expect(problem { $0.tensors[0].shape = [6, 32] }.contains("token_embd.weight is [6, 32], expected [6, 64]"))
        #expect(problem { $0.tensors[0].shape = [1 << 50, 0] }.contains("has the embedding of tokens"))
        #expect(problem { $0.tensors.append(("odd", [1], "F16")) }.contains("odd has no place"))
        #expect(problem { $0.tensors.append(("odd", [1], "I16")) }.contains("odd is I16; supported: F32, F16, BF16"))
        #expect(
            problem { $0.tensors.append(("embed_tokens.weight", [6, 64], "F16")) }.contains(
                "embed_tokens.weight occurs twice"))
    }

    @Test func filesThatAreMissingOrElsewhereAreNamed() throws {
        let index = "model.safetensors.index.json"
        for (name, text, named) in [
            (index, #"{"weight_map": {"a": "../x.safetensors"}}"#, "weight_map.a"),
            (index, #"{"weight_map": {"a": "b.safetensors"}}"#, "b.safetensors: No such file"),
            (index, #"{}"#, "weight_map"), ("config.json", "[]", "config.json: byte 0: is not"),
            ("config.json", "{", "config.json: byte 1"),
            ("tokenizer.json", #"{"model": 1, }"#, "tokenizer.json: byte 13"),
        ] {
            let text = problem { $0.files[name] = Data(text.utf8) }
            #expect(text.contains(named), "\(text)")
        }
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(throws: FormatError.self) { try LanguageModel(path: folder, device: try Device.open(.cpu)) }
    }

    /// Bytes changed anywhere: a model, or an error that is ours.
    @Test func hostileFoldersAreErrors() throws {
        var random = SystemRandomNumberGenerator()
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try HuggingFaceWriter().write(to: folder)
        for round in 0..<600 {
            let name = ["config.json", "tokenizer.json", "model.safetensors"][round % 3]
            let file = URL(fileURLWithPath: folder).appending(path: name)
            let original = try Data(contentsOf: file)
            var data = original
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let at = Int.random(in: 0..<min(data.count, 1500), using: &random)
                data[at] = round % 2 == 0 ? UInt8(ascii: "9") : UInt8.random(in: 0...255, using: &random)
            }
            try data.write(to: file)
            do {
                _ = try LanguageModel(path: folder, device: try Device.open(.cpu)).tokenizer.encode("abc <end> b")
            } catch {
                #expect(
                    error is FormatError, "\(name): \(error) of \(String(decoding: data.prefix(1500), as: UTF8.self))")
            }
            try original.write(to: file)
        }
    }
}
