import Foundation
import HearthFormats
import Support
import Testing

@Suite struct GGUFTests {
    private static func sample() -> GGUFWriter {
        var writer = GGUFWriter()
        writer.add("general.architecture", "llama")
        writer.add("llama.block_count", 2)
        writer.addFloat("llama.attention.layer_norm_rms_epsilon", Float(1e-5))
        writer.addTokenizer()
        writer.addTensor("a", [3, 32], type: 0, Data(count: 3 * 32 * 4))
        writer.addTensor("b", [2, 64], type: 3, Data(repeating: 7, count: 2 * 2 * 20))
        return writer
    }

    private func failure(_ writer: GGUFWriter) throws -> FormatError? {
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = try writer.write(to: folder)
        do { _ = try GGUFFile(path: path) } catch let error as FormatError { return error }
        return nil
    }

    @Test func readsWhatWasWritten() throws {
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let gguf = try GGUFFile(path: try Self.sample().write(to: folder))
        #expect(try gguf.metadata.string("general.architecture") == "llama")
        #expect(try gguf.metadata.integer("llama.block_count") == 2)
        #expect(try gguf.metadata.strings("tokenizer.ggml.merges") == ["h e", "l l", "he ll"])
        let b = try #require(gguf.tensors["b"])
        #expect(b.shape == [2, 64] && b.type == .q4_1 && gguf.bytes(of: b).allSatisfy { $0 == 7 })
    }

    @Test func missingKeysAndWrongTypesNameTheKey() throws {
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let gguf = try GGUFFile(path: try Self.sample().write(to: folder))
        do { _ = try gguf.metadata.integer("llama.nothing") } catch { #expect("\(error)".contains("llama.nothing")) }
        do { _ = try gguf.metadata.integer("general.architecture") } catch {
            #expect(error.byteOffset != nil && "\(error)".contains("whole number"))
        }
    }

    @Test func refusesAbsurdCountsWithoutAllocating() throws {
        var writer = GGUFWriter()
        writer.add("x", type: 9, GGUFWriter.little(UInt32(4)) + GGUFWriter.little(UInt64.max / 2))
        #expect(try failure(writer)?.message.contains("more than the file can hold") == true)
        var nested = GGUFWriter()
        let level = GGUFWriter.little(UInt32(9)) + GGUFWriter.little(UInt64(1))
        nested.add("x", type: 9, (0..<64).map { _ in level }.reduce(Data(), +) + Data(count: 64))
        #expect(try failure(nested)?.message.contains("nests") == true)
    }

    @Test func refusesTensorsThatLeaveTheFile() throws {
        var writer = GGUFWriter()
        writer.addTensor("t", [1 << 20, 1 << 10], type: 0, Data(count: 32))
        let error = try #require(try failure(writer))
        #expect(error.message.contains("leaves the file") && error.byteOffset == 24)
        var overflow = GGUFWriter()
        overflow.addTensor("t", [1 << 30, 1 << 30, 1 << 30], type: 0, Data(count: 32))
        #expect(try failure(overflow)?.message.contains("impossible") == true)
        var unknown = GGUFWriter()
        unknown.addTensor("t", [32], type: 99, Data(count: 32))
        #expect(try failure(unknown)?.message.contains("unknown type 99") == true)
    }

    @Test func refusesDuplicatesOldVersionsAndOtherFiles() throws {
        var writer = GGUFWriter()
        writer.add("k", "a")
        writer.add("k", "b")
        #expect(try failure(writer)?.message.contains("twice") == true)
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for (bytes, text) in [
            (Data(), "empty"), (Data("GG".utf8), "ends inside"), (Data(repeating: 65, count: 64), "magic"),
        ] {
            let path = folder + "/x"
            try bytes.write(to: URL(fileURLWithPath: path))
            do { _ = try GGUFFile(path: path) } catch {
                #expect("\(error)".contains(text) && "\(error)".contains(path))
                continue
            }
            Issue.record("accepted \(bytes.count) bytes")
        }
        #expect(throws: FormatError.self) { try GGUFFile(path: folder) }
        #expect(throws: FormatError.self) { try GGUFFile(path: folder + "/missing") }
    }

    /// 10,000 corruptions: bytes changed, runs overwritten with extreme values, cuts. Each is read or refused with a
    /// `FormatError`; whatever is read stays inside the file.
    @Test func survivesTenThousandCorruptions() throws {
        let original = Self.sample().data
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var random = TestRandom(2026)
        var refused = 0
        for round in 0..<10_000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                // Most of the structure is in front; half the changes go there.
                let limit = Bool.random(using: &random) ? min(400, bytes.count) : bytes.count
                let at = Int.random(in: 0..<limit, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 2:
                    for i in at..<min(at + 8, bytes.count) {
                        bytes[i] = [0xff, 0x00, 0x7f].randomElement(using: &random)!
                    }
                default: bytes = bytes.prefix(max(1, at))
                }
            }
            let path = folder + "/c\(round % 4)"
            try bytes.write(to: URL(fileURLWithPath: path))
            do {
                let gguf = try GGUFFile(path: path)
                for tensor in gguf.tensors.values { #expect(tensor.byteRange.upperBound <= bytes.count) }
                _ = try Tokenizer(gguf.metadata)
            } catch let error as FormatError {
                refused += 1
                if let offset = error.byteOffset { #expect(offset >= 0 && offset <= bytes.count) }
                #expect(error.file == path)
            }
        }
        #expect(refused > 5_000, "only \(refused) of 10,000 corruptions were noticed")
    }
}

@Suite struct SafetensorsTests {
    private func file(_ header: String, data: Int) throws -> SafetensorsFile {
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/x.safetensors"
        let bytes = GGUFWriter.little(UInt64(header.utf8.count)) + Data(header.utf8) + Data(repeating: 3, count: data)
        try bytes.write(to: URL(fileURLWithPath: path))
        return try SafetensorsFile(path: path)
    }

    @Test func readsTensorsAndMetadata() throws {
        let header =
            #"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"F16","shape":[4],"data_offsets":[24,32]}}"#
        let file = try file(header, data: 32)
        #expect(file.metadata == ["format": "pt"] && file.tensors["a"]?.shape == [2, 3])
        #expect(file.bytes(of: try #require(file.tensors["b"])).count == 8)
    }

    @Test(arguments: [
        ("{}x", 0, "JSON"), (#"[1]"#, 0, "JSON object"), (#"{"a":{"dtype":"F32","shape":[2]}}"#, 8, "lacks"),
        (#"{"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}}"#, 8, "unknown dtype"),
        (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, 8, "8 bytes for shape"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 12, "after the last"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#, 12, "hole"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,80]}}"#, 8, "leaves"),
        (#"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, 8, "impossible"),
        (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}"#, 8, "impossible"),
    ])
    func refuses(header: String, data: Int, reason: String) throws {
        do { _ = try file(header, data: data) } catch let error as FormatError {
            return #expect(error.description.contains(reason), "\(error)")
        }
        Issue.record("accepted \(header)")
    }

    @Test func survivesTenThousandCorruptions() throws {
        let header =
            #"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"F16","shape":[4],"data_offsets":[24,32]}}"#
        let original = GGUFWriter.little(UInt64(header.utf8.count)) + Data(header.utf8) + Data(count: 32)
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var random = TestRandom(7)
        for _ in 0..<10_000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if Int.random(in: 0..<8, using: &random) == 0 {
                bytes = bytes.prefix(Int.random(in: 1..<bytes.count, using: &random))
            }
            let path = folder + "/x"
            try bytes.write(to: URL(fileURLWithPath: path))
            do {
                for entry in try SafetensorsFile(path: path).tensors.values {
                    #expect(entry.byteRange.upperBound <= bytes.count)
                }
            } catch is FormatError {}
        }
    }
}
