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
    private var kept: String {
        get throws {
            let names = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/packed").filter {
                $0.hasSuffix(".packed")
            }
            #expect(names.count == 1)
            return "\(folder)/packed/\(try #require(names.first))"
        }
    }

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
        let file = URL(fileURLWithPath: try kept)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/packed") == [file.lastPathComponent])
        let (kept, again) = try load()
        #expect(kept.packedDigest == "d" && !kept.hasPacked && again == expected)
        // Other activations want another layout.
        #expect(try load(.f32).0.packedDigest == nil)

        // A damaged part is packed anew; a damaged header or a short file is no file.
        var data = try Data(contentsOf: file)
        let middle = data.count / 2
        data[middle] ^= 4
        try data.write(to: file)
        let (damaged, repaired) = try load()
        #expect(damaged.packedDigest == "d" && damaged.hasPacked && repaired == expected)
        var renamed = data
        renamed[try #require(data.range(of: Data("blk.1.".utf8))).lowerBound + 4] = UInt8(ascii: "3")
        for bytes in [
            data.prefix(17), data.prefix(5000), Data("x".utf8), Data(repeating: 0xFF, count: 100) + data, renamed,
        ] {
            try bytes.write(to: file)
            let (language, answer) = try load()
            #expect(answer == expected && language.packedDigest == nil)
        }
        // Of a file that others may write to nothing is believed.
        try cache().keep(fresh, modelDigest: "d")
        #expect(try load().0.packedDigest == "d")
        try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: file.path)
        #expect(try load().0.packedDigest == nil)
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
