import HearthRoofline
import Synchronization

/// One place that executes kernels: the CPU or a Vulkan device.
public final class Device: Sendable {
    /// Closed on purpose: a third backend is a compile error until every kernel handles it.
    package enum Backend: Sendable {
        case cpu(CPUDevice)
        case vulkan(VulkanDevice)
    }

    /// What tests and tuning decide in place of the device and the launchers.
    package struct Forced: Sendable {
        /// Variants that operations take before all others, where they have them.
        package var variants: [String] = []
        /// Bytes of one storage binding, below the device's own limit.
        package var storageRange: Int?
        /// Parts that products share k out to.
        package var splits: Int?
        /// The longest that one submission should take.
        package var submitBudget: Duration?
        /// Buffers made from now on take transfers through staging, mapped or not, as a software device's memory always is.
        package var isStaged = false

        package init() {}
    }

    package let backend: Backend
    package let forced = Mutex(Forced())
    public let description: DeviceDescription
    /// Of the description, for asking before every dispatch.
    package let features: Set<String>

    init(backend: Backend, description: DeviceDescription) {
        self.backend = backend
        self.description = description
        features = Set(description.features)
    }

    /// Every device of this machine, and why Vulkan gives none where it does not.
    public static func list() -> (devices: [DeviceDescription], vulkanProblem: String?) {
        let cpu = CPUDevice.describe()
        do throws(DeviceError) {
            return (try VulkanInstance.shared().devices.map(\.description) + [cpu], nil)
        } catch {
            return ([cpu], error.description)
        }
    }

    /// Opens the device that `selector` names.
    ///
    /// - Parameters:
    ///   - threadCount: threads of the CPU backend; nil means every core this process may use.
    ///   - isPinned: each worker of the CPU backend keeps to one processor.
    /// - Throws: `noSuchDevice`, `driverMissing` or `unusable`, saying what there is instead.
    public static func open(_ selector: DeviceSelector, threadCount: Int? = nil, isPinned: Bool = false)
        throws(DeviceError) -> Device
    {
        switch selector {
        case .cpu: return openCPU(threadCount, isPinned)
        case .auto:
            guard let gpu = try? VulkanInstance.shared().firstHardware else { return openCPU(threadCount, isPinned) }
            return try gpu.open()
        case .vulkan:
            let instance = try VulkanInstance.shared()
            guard let gpu = instance.firstHardware else {
                let software = instance.devices.filter { $0.description.kind == .software }.map(\.description.selector)
                throw DeviceError(
                    .noSuchDevice,
                    "no usable Vulkan GPU on this machine"
                        + (software.isEmpty
                            ? "" : "; software devices are used only when named: \(software.joined(separator: ", "))"))
            }
            return try gpu.open()
        case .vulkanIndex(let index):
            let instance = try VulkanInstance.shared()
            guard instance.devices.indices.contains(index) else {
                throw DeviceError(
                    .noSuchDevice,
                    "no device vulkan:\(index); this machine has \(instance.devices.count) Vulkan device(s), see `hearth devices`"
                )
            }
            return try instance.devices[index].open()
        }
    }

    private static func openCPU(_ threadCount: Int?, _ isPinned: Bool) -> Device {
        let cpu = CPUDevice(threadCount: threadCount, isPinned: isPinned)
        return Device(backend: .cpu(cpu), description: CPUDevice.describe())
    }

    /// Of a kind of Vulkan device and its driver, for files that suit every device of the kind; nil elsewhere.
    package var kindIdentity: String? {
        if case .vulkan(let vulkan) = backend { vulkan.physical.kindIdentity } else { nil }
    }

    package var forcedVariants: [String] { forced.withLock { $0.variants } }

    /// The most bytes that one binding of a Vulkan kernel spans; nil elsewhere.
    package var storageRange: Int? {
        guard case .vulkan(let vulkan) = backend else { return nil }
        let limit = Int(clamping: vulkan.physical.info.max_storage_range)
        return forced.withLock { min(limit, $0.storageRange ?? limit) }
    }

    /// The longest that one submission should take: drivers reset devices that answer to nobody for seconds.
    package var submitBudget: Duration { forced.withLock { $0.submitBudget } ?? .milliseconds(100) }

    public var selector: String { description.selector }

    /// The same device opened anew: what to do after `deviceLost`. Tensors of the lost one are gone.
    public func reopen() throws(DeviceError) -> Device {
        let device = try Device.open(DeviceSelector(selector), threadCount: cpuThreadCount)
        let settings = forced.withLock { $0 }
        device.forced.withLock { $0 = settings }
        return device
    }

    /// A driver's result that the next such call gives in place of its own; Vulkan only.
    package func inject(_ result: Int32, at call: VulkanDevice.Call) {
        if case .vulkan(let vulkan) = backend { vulkan.inject(result, at: call) }
    }

    /// Shaders compiled from now on say what they spill, where the driver can.
    package func keepShaderStatistics() {
        if case .vulkan(let vulkan) = backend { vulkan.pipelines.keepStatistics() }
    }

    /// What a shader spills, at most, where it was first compiled after `keepShaderStatistics`: `PipelineStatistics.spills`.
    package func spills(_ shader: Shader) throws(DeviceError) -> Int {
        guard case .vulkan(let vulkan) = backend else { return 0 }
        return try vulkan.pipelines.spills(shader)
    }

    /// Threads that kernels are shared out to; nil on other devices than the CPU.
    public var cpuThreadCount: Int? {
        if case .cpu(let cpu) = backend { cpu.threadCount } else { nil }
    }

    /// Where a buffer's memory is.
    public enum Location: Sendable {
        case device
        /// Where the host reads at once what kernels have written: a few results, which need no copy then.
        case host
    }

    /// Allocates uninitialised memory for the device. - Throws: `outOfMemory` with what was asked, free and there.
    public func makeBuffer(byteCount: Int, in location: Location = .device) throws(DeviceError) -> DeviceBuffer {
        switch backend {
        case .cpu: DeviceBuffer(device: self, hostByteCount: max(byteCount, 1))
        case .vulkan(let vulkan):
            try DeviceBuffer(device: self, vulkan: vulkan, byteCount: max(byteCount, 1), in: location)
        }
    }

    /// A contiguous tensor in a buffer of its own.
    public func makeTensor(
        _ dtype: DType, _ shape: [Int], in location: Location = .device
    ) throws(DeviceError) -> Tensor {
        let buffer = try makeBuffer(byteCount: dtype.byteCount(of: shape.reduce(1, *)), in: location)
        return Tensor(buffer, dtype: dtype, shape: shape)
    }

    /// A contiguous tensor holding `values`.
    public func makeTensor(_ values: [Float], _ shape: [Int]) throws(DeviceError) -> Tensor {
        precondition(values.count == shape.reduce(1, *), "\(values.count) values for shape \(shape)")
        let tensor = try makeTensor(.f32, shape)
        try tensor.write(values)
        return tensor
    }

    public func makeEncoder() throws(DeviceError) -> CommandEncoder {
        try CommandEncoder(device: self, isReplayed: false)
    }

    /// Modelled work of `shader`, or of any, that one submission should hold to end within the budget.
    func workLimit(of shader: String? = nil) -> Double {
        guard case .vulkan(let vulkan) = backend else { return .infinity }
        return vulkan.workPerSubmit(submitBudget, of: shader)
    }

    /// Whether work can be recorded and replayed: on Vulkan. The CPU runs kernels as they are encoded.
    public var canReplay: Bool { if case .vulkan = backend { true } else { false } }

    /// An encoder that ends in `record`. - Throws: `invalid` where the device cannot replay.
    public func makeReplayEncoder() throws(DeviceError) -> CommandEncoder {
        guard canReplay else { throw DeviceError(.invalid, "\(selector) runs kernels as they are encoded") }
        return try CommandEncoder(device: self, isReplayed: true)
    }

    /// Keeps compiled pipelines for the next process. Failing to is no error: the next start compiles again.
    public func savePipelineCache() {
        if case .vulkan(let vulkan) = backend { vulkan.pipelines.save() }
    }
}
