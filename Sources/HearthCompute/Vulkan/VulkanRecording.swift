import CVulkan

/// One command buffer being recorded.
///
/// `@unchecked Sendable`: one encoder records it; then only its owner submits it, once or as a `RecordedWork` again and again,
/// and its submissions only read the timestamps of what the device has finished.
final class VulkanRecording: @unchecked Sendable {
    private let device: VulkanDevice
    private var raw: cvk_recording
    private let isReplayed: Bool
    private var hasEnded = false
    /// The timeline's value after the last submission; nil before there was one.
    private var value: UInt64?
    private var buffers: [DeviceBuffer] = []
    private var hazards = HazardTracker()

    init(device: VulkanDevice, raw: cvk_recording, isReplayed: Bool) {
        self.device = device
        self.isReplayed = isReplayed
        self.raw = raw
    }

    deinit {
        if let value { device.retire(raw, value: value) } else { device.recycle(raw) }
    }

    func dispatch(
        _ shader: Shader, constants: [UInt32], reads: [Tensor], writes: [Tensor], push: [UInt32],
        groups: (x: Int, y: Int, z: Int)
    ) throws(DeviceError) {
        let tensors = reads + writes
        precondition(tensors.count == shader.bindingCount, "\(shader.name) takes \(shader.bindingCount) bindings")
        precondition(push.count * 4 == shader.pushByteCount, "\(shader.name) takes \(shader.pushByteCount) push bytes")
        try checkGroups(shader, groups)
        var bindings: [cvk_binding] = []
        for tensor in tensors { bindings.append(try binding(tensor, shader)) }
        if hazards.needsBarrier(reads: reads, writes: writes) { cvk_barrier(device.handle, &raw) }
        var pipeline = try device.pipelines.pipeline(shader, constants: constants)
        try check(
            cvk_dispatch(
                device.handle, &raw, &pipeline, bindings, UInt32(bindings.count), push, UInt32(push.count * 4),
                UInt32(groups.x), UInt32(groups.y), UInt32(groups.z)), "recording \(shader.name)")
        buffers.append(contentsOf: tensors.map(\.buffer))
    }

    private func checkGroups(_ shader: Shader, _ groups: (x: Int, y: Int, z: Int)) throws(DeviceError) {
        let limits = device.physical.info.max_workgroup_count
        if groups.x > Int(limits.0) || groups.y > Int(limits.1) || groups.z > Int(limits.2) {
            throw DeviceError(.invalid, "\(shader.name): \(groups) workgroups exceed the device's \(limits)")
        }
    }

    private func binding(_ tensor: Tensor, _ shader: Shader) throws(DeviceError) -> cvk_binding {
        guard case .vulkan(let owner, let buffer) = tensor.buffer.storage, owner === device else {
            throw DeviceError(.invalid, "\(shader.name): a tensor of another device")
        }
        let info = device.physical.info
        if UInt64(tensor.byteOffset) % info.storage_offset_alignment != 0 {
            throw DeviceError(
                .invalid,
                "\(shader.name): byte offset \(tensor.byteOffset) is not a multiple of \(info.storage_offset_alignment)"
            )
        }
        // The last word of a tensor may be half used; buffers are whole words, so it lies inside.
        let range = min((tensor.spannedByteCount + 3) & ~3, Int(buffer.byte_count) - tensor.byteOffset)
        let limit = tensor.buffer.device.storageRange ?? .max
        if range > limit {
            throw DeviceError(
                .invalid, "\(shader.name): \(range) bytes in one tensor exceed the device's storage range \(limit)")
        }
        return cvk_binding(buffer: buffer.handle, offset: UInt64(tensor.byteOffset), range: UInt64(max(range, 4)))
    }

    func copy(from source: VkBuffer, _ sourceOffset: Int, to target: VkBuffer, _ offset: Int, _ count: Int) {
        cvk_copy(device.handle, &raw, source, UInt64(sourceOffset), target, UInt64(offset), UInt64(count))
    }

    /// Hands the commands to the device, for the first time or again once the submission before has ended.
    ///
    /// - Parameter work: what the device is to do, modelled; none where that is not known.
    func submit(work: SubmitPace.Work = .init()) throws(DeviceError) -> VulkanSubmission {
        if !hasEnded { try check(cvk_end(device.handle, &raw), "ending a command buffer") }
        hasEnded = true
        let value = try device.submit(raw)
        self.value = value
        // Memory is freed when the device is done with it.
        if !isReplayed { buffers = [] }
        return VulkanSubmission(device: device, value: value, recording: self, work: work)
    }

    func readTimestamps(_ ticks: UnsafeMutablePointer<UInt64>) throws(DeviceError) {
        try check(cvk_read_timestamps(device.handle, &raw, ticks), "reading timestamps")
    }
}

/// Which memory has been touched since the last barrier.
struct HazardTracker {
    private struct Span {
        let buffer: ObjectIdentifier
        let bytes: Range<Int>
        init(_ tensor: Tensor) {
            buffer = ObjectIdentifier(tensor.buffer)
            bytes = tensor.byteOffset..<tensor.byteOffset + tensor.spannedByteCount
        }
        func meets(_ other: Span) -> Bool { buffer == other.buffer && bytes.overlaps(other.bytes) }
    }
    private var read: [Span] = []
    private var written: [Span] = []

    /// True when the next dispatch reads or writes what an earlier one wrote, or writes what an earlier one read.
    mutating func needsBarrier(reads: [Tensor], writes: [Tensor]) -> Bool {
        let reads = reads.map(Span.init)
        let writes = writes.map(Span.init)
        let conflict =
            (reads + writes).contains { span in written.contains { $0.meets(span) } }
            || writes.contains { span in read.contains { $0.meets(span) } }
        if conflict {
            read = []
            written = []
        }
        read += reads
        written += writes
        return conflict
    }
}
