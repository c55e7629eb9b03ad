import CVulkan

/// A piece of a device's memory with one owner; `Tensor`s view it.
///
/// `@unchecked Sendable`: the pointer and handle never change after init; what the memory holds is ordered by
/// submissions (a Vulkan buffer by its timeline, host memory by the eager CPU encoder).
public final class DeviceBuffer: @unchecked Sendable {
    package enum Storage {
        /// Allocated here, or borrowed from `owner` (a mapped file) without a copy.
        case host(UnsafeMutableRawPointer, owner: (any Sendable)?)
        case vulkan(VulkanDevice, cvk_buffer)
    }

    public let device: Device
    public let byteCount: Int
    package let storage: Storage

    init(device: Device, hostByteCount: Int) {
        self.device = device
        byteCount = hostByteCount
        let alignment = hostByteCount >= 1 << 21 ? 1 << 21 : 64
        let pointer = UnsafeMutableRawPointer.allocate(byteCount: hostByteCount, alignment: alignment)
        HostMemory.adviseHugePages(pointer, hostByteCount)
        storage = .host(pointer, owner: nil)
    }

    init(
        device: Device, vulkan: VulkanDevice, byteCount: Int, in location: Device.Location
    ) throws(DeviceError) {
        self.device = device
        self.byteCount = byteCount
        // Whole words: shaders read 32 bits at a time, and the last element may be a half.
        var buffer = try vulkan.allocate((byteCount + 15) & ~15, location == .host ? CVK_READBACK : CVK_DEVICE)
        if device.forced.withLock({ $0.isStaged }) { buffer.mapped = nil }
        storage = .vulkan(vulkan, buffer)
    }

    /// Views memory that `owner` keeps alive and nobody writes. CPU devices only.
    package init(device: Device, borrowing bytes: UnsafeRawBufferPointer, owner: any Sendable) {
        guard case .cpu = device.backend else { preconditionFailure("only the CPU backend borrows host memory") }
        self.device = device
        byteCount = bytes.count
        storage = .host(UnsafeMutableRawPointer(mutating: bytes.baseAddress!), owner: owner)
    }

    deinit {
        switch storage {
        case .host(let pointer, owner: nil): pointer.deallocate()
        case .host: break
        case .vulkan(let vulkan, let buffer): vulkan.free(buffer)
        }
    }

    /// Copies host bytes in, for all work submitted afterwards; a copy that fails on the device is an error of the next wait.
    /// On a device with work in flight on this buffer, wait for that work first.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int = 0) throws(DeviceError) {
        precondition(offset >= 0 && offset + bytes.count <= byteCount, "write leaves the buffer")
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        switch storage {
        case .host(let pointer, _): (pointer + offset).copyMemory(from: source, byteCount: bytes.count)
        case .vulkan(let vulkan, let buffer): try vulkan.upload(bytes, to: buffer, at: offset)
        }
    }

    /// Copies out to the host, after everything submitted before has completed.
    public func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int = 0) throws(DeviceError) {
        precondition(offset >= 0 && offset + bytes.count <= byteCount, "read leaves the buffer")
        guard let target = bytes.baseAddress, bytes.count > 0 else { return }
        switch storage {
        case .host(let pointer, _): target.copyMemory(from: pointer + offset, byteCount: bytes.count)
        case .vulkan(let vulkan, let buffer): try vulkan.download(buffer, at: offset, into: bytes)
        }
    }
}

extension DeviceBuffer {
    /// Host memory. CPU backend only.
    package func hostPointer<Element>(as type: Element.Type) -> UnsafeMutablePointer<Element> {
        guard case .host(let pointer, _) = storage else { preconditionFailure("buffer is not in host memory") }
        return pointer.assumingMemoryBound(to: type)
    }
}

extension Tensor {
    /// Fills a contiguous tensor from host values. - Precondition: sizes agree.
    public func write<Element: BitwiseCopyable>(_ values: [Element]) throws(DeviceError) {
        precondition(isContiguous && values.count * MemoryLayout<Element>.stride == byteCount, "write to \(shape)")
        let result = values.withUnsafeBytes { bytes in
            Result { () throws(DeviceError) in try buffer.write(bytes, at: byteOffset) }
        }
        try result.get()
    }

    /// The elements of a contiguous tensor, once all work submitted before is done.
    public func read<Element: BitwiseCopyable>(as type: Element.Type) throws(DeviceError) -> [Element] {
        precondition(isContiguous && byteCount % MemoryLayout<Element>.stride == 0, "read of \(shape)")
        let count = byteCount / MemoryLayout<Element>.stride
        var failure: DeviceError?
        let values = [Element](unsafeUninitializedCapacity: count) { target, initialised in
            do throws(DeviceError) {
                try buffer.read(into: UnsafeMutableRawBufferPointer(target), at: byteOffset)
                initialised = count
            } catch { failure = error }
        }
        if let failure { throw failure }
        return values
    }

    /// The first element in host memory. CPU backend only.
    package func hostPointer<Element>(as type: Element.Type) -> UnsafeMutablePointer<Element> {
        UnsafeMutableRawPointer(buffer.hostPointer(as: UInt8.self) + byteOffset).assumingMemoryBound(to: type)
    }
}
