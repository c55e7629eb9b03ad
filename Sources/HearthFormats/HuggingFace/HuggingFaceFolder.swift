import Foundation
import HearthJSON

/// A folder as Hugging Face publishes models: config.json, tokenizer.json and safetensors, in one file or in shards.
///
/// - Source: what transformers' `save_pretrained` writes.
struct HuggingFaceFolder {
    let path: String
    let family: HuggingFaceFamily
    private let config: HuggingFaceConfig

    /// - Throws: `FormatError` naming the file and what is missing or not supported.
    init(path: String) throws {
        self.path = path
        let config = try HuggingFaceConfig(file: path + "/config.json").language
        let type = try config.string("model_type")
        guard let family = HuggingFaceFamily.all.first(where: { $0.modelTypes.contains(type) }) else {
            let known = HuggingFaceFamily.all.flatMap(\.modelTypes).joined(separator: ", ")
            throw config.error("model_type", "'\(type.prefix(40))' is not supported; supported: \(known)")
        }
        self.family = family
        self.config = config.assuming(family.defaults)
    }

    func source() throws -> ModelSource {
        let tensors = try tensors()
        guard let shape = tensors["token_embd.weight"]?.shape, shape.count == 2, (1...1 << 24).contains(shape[0]),
            shape[1] > 0
        else { throw FormatError(file: path, "no file of the folder has the embedding of tokens, a matrix") }
        let generation = try optional("generation_config.json")
        let tokenization = try optional("tokenizer_config.json")
        let tokenizer = try Tokenizer(
            json: path + "/tokenizer.json", vocabularySize: shape[0],
            options: try Tokenizer.JSONOptions(tokenization))
        let endIDs =
            try config.tokens("eos_token_id", count: shape[0])
            + (generation?.tokens("eos_token_id", count: shape[0]) ?? [])
        return ModelSource(
            folder: path, metadata: try config.metadata(family), tensors: tensors, tokenizer: tokenizer,
            endIDs: endIDs, chatTemplate: try chatTemplate(tokenization))
    }

    // MARK: Tensors

    private func tensors() throws -> [String: StoredTensor] {
        let index = try optional("model.safetensors.index.json")
        let names = try index.map { try shardNames($0) } ?? ["model.safetensors"]
        var all: [String: StoredTensor] = [:]
        let isTied = try config.bool("tie_word_embeddings", default: family.tiesEmbeddings)
        for name in names {
            let file = try SafetensorsFile(path: path + "/" + name)
            for (stored, entry) in file.tensors {
                guard let place = family.place(of: stored), !(isTied && place.name == "output.weight") else { continue }
                guard let type = Self.types[entry.dtype] else {
                    throw FormatError(
                        file: file.file.path, "tensor \(stored) is \(entry.dtype); supported: F32, F16, BF16")
                }
                var tensor = StoredTensor(
                    type: type, shape: entry.shape, file: file.file, byteRange: entry.byteRange, entryOffset: nil,
                    layout: place.layout)
                if place.layout == .transposed {
                    guard entry.shape.count == 2 else {
                        throw FormatError(file: file.file.path, "tensor \(stored) is \(entry.shape), not a matrix")
                    }
                    tensor.shape.reverse()
                }
                guard all.updateValue(tensor, forKey: place.name) == nil else {
                    throw FormatError(file: file.file.path, "tensor \(stored) occurs twice")
                }
            }
        }
        guard isTied || all["output.weight"] != nil else {
            throw config.error("tie_word_embeddings", "is false, and no file of the folder has lm_head.weight")
        }
        return all
    }

    private static let types: [String: GGUFType] = ["F32": .f32, "F16": .f16, "BF16": .bf16]

    private func shardNames(_ index: HuggingFaceConfig) throws(FormatError) -> [String] {
        guard let members = index["weight_map"]?.members, !members.isEmpty else {
            throw index.error("weight_map", "is not an object that names a file for each tensor")
        }
        var names: Set<String> = []
        for member in members {
            guard let name = member.value.string, name.hasSuffix(".safetensors"), !name.contains("/") else {
                throw index.error("weight_map.\(member.key)", "is not the name of a safetensors file in this folder")
            }
            names.insert(name)
        }
        return names.sorted()
    }

    // MARK: Small files

    private func optional(_ name: String) throws -> HuggingFaceConfig? {
        let file = path + "/" + name
        return FileManager.default.fileExists(atPath: file) ? try HuggingFaceConfig(file: file) : nil
    }

    /// A file of its own, a text in tokenizer_config.json, or there one of several by name.
    private func chatTemplate(_ tokenization: HuggingFaceConfig?) throws -> String? {
        let file = path + "/chat_template.jinja"
        if FileManager.default.fileExists(atPath: file) {
            let mapped = try MappedFile(path: file)
            guard let text = String(validating: mapped.bytes, as: UTF8.self) else {
                throw FormatError(file: file, "is not UTF-8")
            }
            return text
        }
        guard let value = tokenization?["chat_template"] else { return nil }
        let named = value.array?.first { $0["name"]?.string == "default" }
        return value.string ?? named?["template"]?.string
    }
}
