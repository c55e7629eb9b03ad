import CVulkan
import Foundation
import Synchronization

/// Compiled pipelines of one device, with the driver's cache kept on disk.
///
/// The file is `$HEARTH_CACHE/pipelines/<device UUID>-<driver version>.bin`: eight bytes of magic, eight of FNV-1a over
/// the rest, then the driver's own data. A file that does not check is ignored and replaced.
///
/// `@unchecked Sendable`: all mutable state is in `state` behind its mutex.
package final class PipelineLibrary: @unchecked Sendable {
    private struct Key: Hashable {
        let shader: String
        let constants: [UInt32]
    }
    private struct State {
        var pipelines: [Key: cvk_pipeline] = [:]
        var isDirty = false
        var keepsStatistics = false
    }
    private static let magic = Array("HEARTHPC".utf8)

    private let device: UnsafeMutablePointer<cvk_device>
    private let file: URL
    private let cache: VkPipelineCache?
    private let state = Mutex(State())

    init(_ device: UnsafeMutablePointer<cvk_device>, identity: String) {
        self.device = device
        file = CacheFolder.url.appending(path: "pipelines/\(identity).bin")
        let stored = Self.load(file)
        var cache: VkPipelineCache?
        // A driver that refuses the data gets an empty cache instead.
        if cvk_create_pipeline_cache(device, stored, stored.count, &cache) != VK_SUCCESS {
            _ = cvk_create_pipeline_cache(device, nil, 0, &cache)
        }
        self.cache = cache
    }

    func pipeline(_ shader: Shader, constants: [UInt32]) throws(DeviceError) -> cvk_pipeline {
        try state.withLock { state throws(DeviceError) in
            let key = Key(shader: shader.name, constants: constants)
            if let known = state.pipelines[key] { return known }
            var pipeline = cvk_pipeline()
            let words = shader.spirv.bindMemory(to: UInt32.self)
            try check(
                cvk_create_pipeline(
                    device, cache, words.baseAddress, shader.spirv.count, UInt32(shader.bindingCount),
                    UInt32(shader.pushByteCount), constants, UInt32(constants.count), state.keepsStatistics, &pipeline),
                "compiling shader \(shader.name)")
            state.pipelines[key] = pipeline
            state.isDirty = true
            return pipeline
        }
    }

    /// Pipelines compiled from now on say what they spill, where the driver can.
    func keepStatistics() { state.withLock { $0.keepsStatistics = true } }

    /// What the pipelines of a shader spill that say so, at most: `PipelineStatistics.spills`.
    func spills(_ shader: Shader) throws(DeviceError) -> Int {
        let pipelines = state.withLock { $0.pipelines.filter { $0.key.shader == shader.name }.map(\.value) }
        var most = 0
        for var pipeline in pipelines { most = max(most, PipelineStatistics.spills(try statistics(&pipeline, shader))) }
        return most
    }

    private func statistics(_ pipeline: inout cvk_pipeline, _ shader: Shader) throws(DeviceError)
        -> [(name: String, value: UInt64)]
    {
        var found = [cvk_statistic](repeating: cvk_statistic(), count: 64)
        var count = UInt32(found.count)
        try check(
            cvk_pipeline_statistics(device, &pipeline, &found, &count),
            "reading the statistics of shader \(shader.name)")
        return found.prefix(Int(count)).map { statistic in
            let name = withUnsafeBytes(of: statistic.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            return (name, statistic.value)
        }
    }

    /// Writes the driver's cache when pipelines were compiled since the last save.
    func save() {
        let dirty = state.withLock { state in
            defer { state.isDirty = false }
            return state.isDirty
        }
        guard dirty, let cache else { return }
        var count = 0
        guard cvk_pipeline_cache_data(device, cache, nil, &count) == VK_SUCCESS, count > 0 else { return }
        var data = [UInt8](repeating: 0, count: count)
        guard cvk_pipeline_cache_data(device, cache, &data, &count) == VK_SUCCESS else { return }
        data.removeLast(data.count - count)
        try? FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try? Self.store(data, in: file)
    }

    package static func store(_ data: [UInt8], in file: URL) throws {
        try Data(magic + bytes(of: hash(data[...])) + data).write(to: file, options: .atomic)
    }

    /// Before the device goes.
    func destroy() {
        state.withLock { state in
            for pipeline in state.pipelines.values {
                withUnsafePointer(to: pipeline) { cvk_destroy_pipeline(device, $0) }
            }
        }
        if let cache { cvk_destroy_pipeline_cache(device, cache) }
    }

    /// The driver's data in `file`; nothing when the file is missing or does not check.
    package static func load(_ file: URL) -> [UInt8] {
        guard let data = try? [UInt8](Data(contentsOf: file)), data.count > 16, data.starts(with: magic) else {
            return []
        }
        let body = data[16...]
        return bytes(of: hash(body)).elementsEqual(data[8..<16]) ? Array(body) : []
    }

    private static func hash(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    private static func bytes(of value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}
