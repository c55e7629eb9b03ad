import Foundation
import HearthCompute
import HearthFormats
import HearthInference
import Support
import Testing

/// Model files that are well-formed GGUF and still no model Hearth runs.
@Suite struct ModelFileTests {
    private func problem(_ change: (inout GGUFWriter) -> Void) throws -> String {
        var writer = GGUFWriter()
        change(&writer)
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = try writer.write(to: folder)
        do { _ = try LanguageModel(path: path, device: try Device.open(.cpu)) } catch { return "\(error)" }
        return "accepted"
    }

    private func config(_ writer: inout GGUFWriter, heads: UInt32 = 2, architecture: String = "llama") {
        writer.addTokenizer()
        writer.add("general.architecture", architecture)
        writer.add("llama.block_count", 1)
        writer.add("llama.embedding_length", 64)
        writer.add("llama.feed_forward_length", 64)
        writer.add("llama.attention.head_count", heads)
        writer.add("llama.context_length", 128)
        writer.addFloat("llama.attention.layer_norm_rms_epsilon", Float(1e-5))
    }

    @Test func otherArchitecturesAreNamed() throws {
        let text = try problem { config(&$0, architecture: "mamba") }
        #expect(text.contains("'mamba' is not supported") && text.contains("llama"))
    }

    @Test func impossibleSizesAreNamed() throws {
        #expect(try problem { config(&$0, heads: 7) }.contains("llama.attention.head_count"))
    }

    @Test func factorsThatDoNotFitAreNamed() throws {
        let text = try problem {
            config(&$0)
            $0.add(
                "llama.rope.scaling.factors", type: 9,
                GGUFWriter.little(UInt32(6)) + GGUFWriter.little(UInt64(1)) + Data(count: 4))
        }
        #expect(text.contains("llama.rope.scaling.factors: 1 factors for heads of 32"))
    }

    @Test func missingAndMisshapenTensorsAreNamed() throws {
        #expect(try problem { config(&$0) }.contains("no tensor token_embd.weight"))
        let text = try problem {
            config(&$0)
            $0.addTensor("token_embd.weight", [10, 64], type: 0, Data(count: 10 * 64 * 4))
        }
        #expect(text.contains("token_embd.weight is [10, 64], expected [260, 64]") && text.contains("byte"))
    }

    @Test func unsupportedTypesAreNamed() throws {
        let text = try problem {
            config(&$0)
            $0.addTensor("token_embd.weight", [260, 64], type: 7, Data(count: 260 * 2 * 24))
        }
        #expect(text.contains("Q5_1; supported"))
    }
}
