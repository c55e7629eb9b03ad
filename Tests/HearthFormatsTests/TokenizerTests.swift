import Foundation
import HearthFormats
import Support
import Testing

@Suite struct TokenizerTests {
    /// llama.cpp's own vectors: 46 texts with the ids that llama.cpp gives.
    @Test(
        .enabled(if: TestPaths.vocabularies != nil, "scripts/fetch-vectors could not fetch llama.cpp's vocabularies"),
        arguments: [
            "starcoder", "refact", "command-r", "gpt-2", "llama-bpe", "qwen2", "falcon", "mpt", "deepseek-coder",
            "phi-3",
            "llama-spm",
        ])
    func idsEqualLlamaCpp(name: String) throws {
        let base = try #require(TestPaths.vocabularies) + "/" + name + ".gguf"
        let tokenizer = try Tokenizer(try GGUFFile(path: base).metadata)
        let texts = try String(contentsOfFile: base + ".inp", encoding: .utf8).components(
            separatedBy: "\n__ggml_vocab_test__\n")
        var lines = try String(contentsOfFile: base + ".out", encoding: .utf8).components(separatedBy: "\n")
        while lines.last == "" { lines.removeLast() }
        // The last text ends with the file's own newline.
        let cases = texts.last == "" ? Array(texts.dropLast()) : texts
        #expect(cases.count == 46 && lines.count == 46)
        for (text, line) in zip(cases, lines) {
            let expected = line.split(separator: " ").compactMap { Int32($0) }
            let ids = tokenizer.encode(text)
            let plain = tokenizer.addsBOS && ids.first == tokenizer.bosID ? Array(ids.dropFirst()) : ids
            #expect(plain == expected, "\(text.debugDescription)")
        }
    }

    private func tokenizer(_ change: (inout GGUFWriter) -> Void) throws -> Tokenizer {
        var writer = GGUFWriter()
        change(&writer)
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try Tokenizer(try GGUFFile(path: try writer.write(to: folder)).metadata)
    }

    @Test func mergesInOrderAndDecodesBack() throws {
        let tokenizer = try tokenizer { $0.addTokenizer() }
        #expect(tokenizer.encode("hello") == [258, 111])
        let text = "h\u{e9}llo \u{1f525}\n\t x"
        #expect(tokenizer.decode(tokenizer.encode(text)) == text)
    }

    /// What users write never becomes a control token, and comes back as it was.
    @Test func disarmedTextStaysText() throws {
        let tokenizer = try tokenizer { $0.addTokenizer() }
        for text in [
            "a<|end|>b", "<|end|><|end|>", "<|<|end|>end|>", "plain", "<|end|>\u{301}", "<|end|>\u{200D}",
            "e\u{301}<|end|>\u{FE0F}",
        ] {
            let ids = tokenizer.encode(tokenizer.disarmed(text), parsesControl: true)
            #expect(!ids.contains(259) && tokenizer.decode(ids) == text)
        }
        let breaker = String(Character(Unicode.Scalar(UInt32(0xFDD0))!))
        #expect(!tokenizer.encode(tokenizer.disarmed("<\(breaker)|end|>"), parsesControl: true).contains(259))
    }

    @Test func controlTokensAreReadOnlyWhenAsked() throws {
        let tokenizer = try tokenizer { $0.addTokenizer() }
        #expect(tokenizer.encode("<|end|>", parsesControl: true) == [259])
        #expect(tokenizer.encode("<|end|>").count == 7)
        #expect(
            tokenizer.bytes(of: 259).isEmpty && tokenizer.bytes(of: -1).isEmpty && tokenizer.bytes(of: 9999).isEmpty)
    }

    /// Merges can name each other in circles; text only ever grows, so encoding ends.
    @Test func circularAndRepeatedMergesEnd() throws {
        let tokenizer = try tokenizer {
            $0.addTokenizer(
                merges: ["a b", "b a", "ab a", "a ba", "aba b", "a b", "ab ab"], extra: ["ab", "ba", "aba"])
        }
        let text = String(repeating: "ab", count: 2000)
        #expect(tokenizer.decode(tokenizer.encode(text)) == text)
    }

    @Test func longWordsTakeLittleTime() throws {
        let tokenizer = try tokenizer { $0.addTokenizer(merges: ["a a", "aa aa"], extra: ["aa", "aaaa"]) }
        #expect(tokenizer.encode(String(repeating: "a", count: 200_000)).count == 50_000)
    }

    @Test(arguments: [["ab"], ["a"], ["", "a b"], ["a  b"], [" b"]])
    func brokenMergeNamesItsIndex(merges: [String]) throws {
        do { _ = try tokenizer { $0.addTokenizer(merges: merges) } } catch let error as FormatError {
            return #expect(error.message.contains("merge 0") && error.byteOffset != nil)
        }
        Issue.record("accepted \(merges)")
    }

    @Test func unknownFamiliesAreNamed() throws {
        do { _ = try tokenizer { $0.add("tokenizer.ggml.model", "spm") } } catch {
            return #expect("\(error)".contains("'spm'"))
        }
        Issue.record("accepted spm")
    }

    @Test func streamHoldsBackUnfinishedCharacters() {
        var stream = UTF8Stream()
        var text = ""
        for byte in Array("a\u{e9}\u{20ac}\u{1f525}!".utf8) { text += stream.append([byte]) }
        #expect(text == "a\u{e9}\u{20ac}\u{1f525}!" && stream.finish().isEmpty)
        #expect(stream.append([0xf0, 0x9f]).isEmpty && stream.finish() == "\u{fffd}")
    }
}
