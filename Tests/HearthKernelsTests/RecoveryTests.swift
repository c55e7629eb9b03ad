import HearthCompute
import HearthKernels
import Support
import Testing

/// What happens when a device runs out of memory, is lost, or is asked for more than one submission should hold.
@Suite(.serialized, .enabled(if: !TestDevices.vulkan.isEmpty, "this machine has no Vulkan device"))
struct RecoveryTests {
    private static let lost: Int32 = -4  // VK_ERROR_DEVICE_LOST
    private static let outOfMemory: Int32 = -2  // VK_ERROR_OUT_OF_DEVICE_MEMORY

    private func sum(_ device: Device) throws -> [Float] {
        let (a, b) = (try device.makeTensor([1, 2, 3], [3]), try device.makeTensor([10, 20, 30], [3]))
        let y = try device.makeTensor(.f32, [3])
        var encoder = try device.makeEncoder()
        try Add.encode(a, b, into: y, &encoder)
        try encoder.submit().wait()
        return try y.read(as: Float.self)
    }

    @Test(arguments: TestDevices.vulkan, [VulkanDevice.Call.submit, .wait])
    func aLostDeviceIsATypedErrorAndCanBeReopened(selector: String, call: VulkanDevice.Call) throws {
        let device = try Device.open(DeviceSelector(selector))
        let kept = try device.makeTensor([7], [1])
        device.inject(Self.lost, at: call)
        let first = #expect(throws: DeviceError.self) { try sum(device) }
        #expect(first?.code == .deviceLost && first?.vkResult == Self.lost)
        // Nothing is asked of it any more, and every error says what to do.
        let later = #expect(throws: DeviceError.self) { try sum(device) }
        #expect(later?.code == .deviceLost && "\(later!)".contains("reopen"))
        #expect(throws: DeviceError.self) { try kept.read(as: Float.self) }
        let again = try device.reopen()
        #expect(try sum(again) == [11, 22, 33])
    }

    /// What was in flight when a device was lost does not keep it, and its memory, for ever.
    @Test(arguments: TestDevices.vulkan)
    func aLostDeviceIsLetGo(selector: String) throws {
        weak var gone: Device?
        do {
            let device = try Device.open(DeviceSelector(selector))
            gone = device
            device.inject(Self.lost, at: .wait)
            #expect(throws: DeviceError.self) { try sum(device) }
        }
        #expect(gone == nil)
    }

    /// Nor do uploads that nobody waited for, more of them than there is staging memory.
    @Test(arguments: TestDevices.vulkan)
    func uploadsDoNotKeepADevice(selector: String) throws {
        weak var gone: Device?
        do {
            let device = try Device.open(DeviceSelector(selector))
            gone = device
            device.forced.withLock { $0.isStaged = true }
            for value in 0..<9 { _ = try device.makeTensor([Float](repeating: Float(value), count: 1000), [1000]) }
            #expect(try sum(device) == [11, 22, 33])
            _ = try device.makeTensor([1, 2, 3], [3])
        }
        #expect(gone == nil)
    }

    @Test(arguments: TestDevices.vulkan)
    func outOfMemoryNamesWhatWasAskedUsedAndFree(selector: String) throws {
        let device = try Device.open(DeviceSelector(selector))
        let large = try device.makeTensor(.f32, [1 << 20])
        device.inject(Self.outOfMemory, at: .allocate)
        let error = #expect(throws: DeviceError.self) { try device.makeBuffer(byteCount: 12_345_600) }
        let text = "\(error!)"
        #expect(error?.code == .outOfMemory)
        for part in ["12345600 bytes", "bytes free of", "4194304 used by 1 tensors", "largest of 4194304"] {
            #expect(text.contains(part), "\(text)")
        }
        // The device is none the worse.
        #expect(try sum(device) == [11, 22, 33])
        _ = large
    }

    @Test(arguments: TestDevices.vulkan)
    func moreThanIsFreeIsNotAskedOfTheDriver(selector: String) throws {
        let device = try Device.open(DeviceSelector(selector))
        guard device.description.freeByteCount != nil else { return }
        let error = #expect(throws: DeviceError.self) { try device.makeBuffer(byteCount: 1 << 45) }
        #expect(error?.code == .outOfMemory && error?.vkResult == nil)
    }

    /// One attention longer than the budget: cut along the queries, same bits.
    @Test(arguments: TestDevices.vulkan)
    func longAttentionIsCutToTheSubmitBudget(selector: String) throws {
        let device = try Device.open(DeviceSelector(selector))
        let (t, h, d) = (1100, 1, 32)
        var random = TestRandom(2)
        let shape = [1, t, h, d]
        let (q, k, v) = (
            try device.makeTensor(random.floats(t * h * d), shape),
            try device.makeTensor(random.floats(t * h * d), shape),
            try device.makeTensor(random.floats(t * h * d), shape)
        )
        var options = Attention.Options()
        options.isCausal = true
        options.mask = try device.makeTensor(random.floats(t * t), [1, 1, t, t])
        func attention(_ budget: Duration) throws -> (bits: [UInt32], parts: Int) {
            device.forced.withLock { $0.submitBudget = budget }
            let o = try device.makeTensor([Float](repeating: .nan, count: t * h * d), shape)
            var encoder = try device.makeEncoder()
            try Attention.encode(q: q, k: k, v: v, options, into: o, &encoder)
            let submission = try encoder.submit()
            return (try o.read(as: UInt32.self), try submission.partDurations().count)
        }
        let whole = try attention(.seconds(3600))
        let cut = try attention(.microseconds(100))
        #expect(whole.parts == 1 && cut.parts >= 4 && cut.bits == whole.bits)
    }

    /// Work beyond a budget of 50 ms is cut into several submissions, one product into several dispatches; same bits.
    @Test(arguments: TestDevices.vulkan)
    func longWorkIsCutToTheSubmitBudget(selector: String) throws {
        let device = try Device.open(DeviceSelector(selector))
        let size = 512
        var random = TestRandom(1)
        let a = try device.makeTensor(random.floats(size * size), [size, size])
        let b = try device.makeTensor(random.floats(size * size), [size, size])
        func product(_ budget: Duration) throws -> (bits: [UInt32], parts: [Duration]) {
            device.forced.withLock { $0.submitBudget = budget }
            let c = try device.makeTensor(.f32, [size, size])
            var encoder = try device.makeEncoder()
            for _ in 0..<8 { try GEMM.encode(a, b, into: c, &encoder) }
            let submission = try encoder.submit()
            return (try c.read(as: UInt32.self), try submission.partDurations())
        }
        let whole = try product(.seconds(3600))
        #expect(whole.parts.count == 1)
        // How fast the device is was learnt from the first run: a fifth of its time is five parts or more.
        let budget = min(.milliseconds(50), whole.parts[0] / 5)
        let cut = try product(budget)
        #expect(cut.bits == whole.bits)
        #expect(cut.parts.count >= 5)
        print(
            "recovery \(selector): \(whole.parts[0]) in one submission; budget \(budget): \(cut.parts.count) of at most \(cut.parts.max()!)"
        )
    }
}
