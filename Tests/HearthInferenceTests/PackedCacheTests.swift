import Foundation
import HearthCompute
import HearthInference
import Support
import Testing

/// Weights that were kept between runs give what freshly packed ones give, or are not used.
@Suite(.serialized, .enabled(if: TestPaths.model != nil, "model is missing"))
struct PackedCacheTests {
    private let folder: String
    private let model: String
    private var kept: String { "\(folder)/packed/model.gguf.packed" }

    init() throws {
        folder = try TestPaths.temporaryFolder()
        model = "\(folder)/model.gguf"
        try FileManager.default.copyItem(atPath: try #require(TestPaths.model), toPath: model)
    }

    private func cache(_ activations: LanguageModel.Activations = .int8) throws -> PackedCache {
        try PackedCache(folder: "\(folder)/packed", model: model, activations: activations)
    }

    private func load(_ activations: LanguageModel.Activations = .int8) throws -> (LanguageModel, [UInt32]) {
        let language = try LanguageModel(
            path: model, device: try Device.open(.cpu), contextLength: 64, activations: activations,
            packedCache: try cache(activations))
        let ids = language.tokenizer.encode("Water boils at")
        return (language, try DecodeSession(language, capacity: 64).score(ids).flatMap { $0.map(\.bitPattern) })
    }

    @Test func keptWeightsAreTheSame() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (fresh, expected) = try load()
        #expect(fresh.packedDigest == nil && fresh.hasPacked)
        try cache().keep(fresh, modelDigest: "d")
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/packed") == ["model.gguf.packed"])
        let (kept, again) = try load()
        #expect(kept.packedDigest == "d" && !kept.hasPacked && again == expected)
        // Other activations want another layout.
        #expect(try load(.f32).0.packedDigest == nil)

        // A damaged part is packed anew; a damaged header or a short file is no file.
        var data = try Data(contentsOf: URL(fileURLWithPath: self.kept))
        let middle = data.count / 2
        data[middle] ^= 4
        try data.write(to: URL(fileURLWithPath: self.kept))
        let (damaged, repaired) = try load()
        #expect(damaged.packedDigest == "d" && damaged.hasPacked && repaired == expected)
        for bytes in [data.prefix(17), data.prefix(5000), Data("x".utf8), Data(repeating: 0xFF, count: 100) + data] {
            try bytes.write(to: URL(fileURLWithPath: self.kept))
            #expect(try load().1 == expected)
        }
    }

    @Test func anotherModelIsNotTaken() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try cache().keep(try load().0, modelDigest: "d")
        #expect(try load().0.packedDigest == "d")
        // The same bytes, written anew.
        let data = try Data(contentsOf: URL(fileURLWithPath: model))
        try data.write(to: URL(fileURLWithPath: model))
        #expect(try load().0.packedDigest == nil)
    }
}
