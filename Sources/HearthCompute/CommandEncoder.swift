import HearthRoofline

/// Records kernels for one device and ends in one submission.
///
/// On Vulkan nothing runs before `submit`; on the CPU each kernel runs as it is encoded. Either way results may be read
/// once the submission has been waited for. Kernels that touch the same memory run in the order they were encoded.
public struct CommandEncoder: ~Copyable {
    public let device: Device
    /// Every kernel encoded so far with its modelled cost.
    public private(set) var kernels: [KernelCost] = []
    private var recording: VulkanRecording?
    /// Modelled work in `recording`, and what has been submitted before it to keep submissions short.
    private var work = 0.0
    private var noted = 0.0
    private var submitted: [VulkanSubmission] = []
    private let start = ContinuousClock.now
    /// Parts that are complete, of work that is recorded to be replayed.
    private let isReplayed: Bool
    private var parts: [(recording: VulkanRecording, work: Double)] = []

    init(device: Device, isReplayed: Bool) throws(DeviceError) {
        self.device = device
        self.isReplayed = isReplayed
        switch device.backend {
        case .cpu: recording = nil
        case .vulkan(let vulkan): recording = try vulkan.beginRecording(isReplayed: isReplayed)
        }
    }

    /// Notes what a launcher has just encoded.
    package mutating func note(_ kernel: String, _ cost: Cost, _ arithmetic: Arithmetic = .f32) {
        kernels.append(KernelCost(kernel: kernel, cost: cost, arithmetic: arithmetic))
        // Work that dispatches did not name is known only now.
        work += max(0, SubmitPace.work(cost) - noted)
        noted = 0
    }

    /// Modelled work that one dispatch should not exceed, so that a submission ends in time.
    package var workLimit: Double { device.workLimit }

    package static func work(_ cost: Cost) -> Double { SubmitPace.work(cost) }

    /// Encodes one Vulkan dispatch. Bindings are `reads`, then `writes`, in that order; a tensor that is updated in
    /// place is a write. Barriers are placed where memory is written and then touched again.
    ///
    /// - Parameter cost: of a kernel long enough to be cut into dispatches; others are counted when they are noted.
    package mutating func dispatch(
        _ shader: Shader, constants: [UInt32] = [], reads: [Tensor], writes: [Tensor], push: [UInt32],
        groups: (x: Int, y: Int, z: Int), cost: Cost = .zero
    ) throws(DeviceError) {
        guard case .vulkan(let vulkan) = device.backend, var target = recording else {
            preconditionFailure("dispatch on a CPU encoder")
        }
        let added = SubmitPace.work(cost)
        if work > 0, work + added > workLimit {
            if isReplayed {
                parts.append((target, work))
            } else {
                submitted.append(try target.submit(work: work))
            }
            target = try vulkan.beginRecording(isReplayed: isReplayed)
            (recording, work) = (target, 0)
        }
        try target.dispatch(shader, constants: constants, reads: reads, writes: writes, push: push, groups: groups)
        work += added
        noted += added
    }

    /// Hands the work to the device.
    public consuming func submit() throws(DeviceError) -> Submission {
        if isReplayed { throw DeviceError(.invalid, "submitting what was encoded for replay: record it first") }
        guard let recording else {
            return Submission(kernels: kernels, completed: ContinuousClock.now - start)
        }
        return Submission(kernels: kernels, pending: submitted + [try recording.submit(work: work)])
    }

    /// Ends what was encoded as work that can be submitted again and again.
    ///
    /// - Throws: `invalid` unless the encoder was made for it.
    public consuming func record() throws(DeviceError) -> RecordedWork {
        guard isReplayed, let recording else {
            throw DeviceError(.invalid, "recording on \(device.selector): the encoder was not made for replay")
        }
        return RecordedWork(
            device: device, kernels: kernels, parts: parts + [(recording, work)], workLimit: workLimit)
    }
}
