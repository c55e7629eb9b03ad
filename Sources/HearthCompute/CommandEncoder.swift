import HearthRoofline

/// Records kernels for one device and ends in one submission.
///
/// On Vulkan nothing runs before `submit`; on the CPU each kernel runs as it is encoded. Either way results may be read
/// once the submission has been waited for. Kernels that touch the same memory run in the order they were encoded.
public struct CommandEncoder: ~Copyable {
    public let device: Device
    /// Every kernel encoded so far with its modelled cost.
    public private(set) var kernels: [KernelCost] = []
    private let recording: VulkanRecording?
    private let start = ContinuousClock.now

    init(device: Device) throws(DeviceError) {
        self.device = device
        switch device.backend {
        case .cpu: recording = nil
        case .vulkan(let vulkan): recording = try vulkan.beginRecording()
        }
    }

    /// Notes what a launcher has just encoded.
    package mutating func note(_ kernel: String, _ cost: Cost, _ arithmetic: Arithmetic = .f32) {
        kernels.append(KernelCost(kernel: kernel, cost: cost, arithmetic: arithmetic))
    }

    /// Encodes one Vulkan dispatch. Bindings are `reads`, then `writes`, in that order; a tensor that is updated in
    /// place is a write. Barriers are placed where memory is written and then touched again.
    package mutating func dispatch(
        _ shader: Shader, constants: [UInt32] = [], reads: [Tensor], writes: [Tensor], push: [UInt32],
        groups: (x: Int, y: Int, z: Int)
    ) throws(DeviceError) {
        guard let recording else { preconditionFailure("dispatch on a CPU encoder") }
        try recording.dispatch(shader, constants: constants, reads: reads, writes: writes, push: push, groups: groups)
    }

    /// Hands the work to the device.
    public consuming func submit() throws(DeviceError) -> Submission {
        guard let recording else {
            return Submission(kernels: kernels, completed: ContinuousClock.now - start)
        }
        return Submission(kernels: kernels, pending: try recording.submit())
    }
}
