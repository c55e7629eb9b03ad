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
    private var work = SubmitPace.Work()
    /// The share of a submission that `work` should take.
    private var load = 0.0
    private var noted = 0.0
    private var submitted: [VulkanSubmission] = []
    /// Memory that launches share, by name.
    private var scratch: [String: Tensor] = [:]
    private let start = ContinuousClock.now
    /// Parts that are complete, of work that is recorded to be replayed.
    private let isReplayed: Bool
    private var parts: [(recording: VulkanRecording, work: SubmitPace.Work)] = []

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
        add(max(0, SubmitPace.work(cost) - noted), by: nil)
        noted = 0
    }

    /// A tensor for what one launch hands from one of its dispatches to the next: later launches of this encoder that ask by the
    /// same name take the same memory.
    package mutating func scratch(_ name: String, _ shape: [Int]) throws(DeviceError) -> Tensor {
        let count = shape.reduce(1, *)
        if let known = scratch[name], known.elementCount >= count {
            return Tensor(known.buffer, dtype: .f32, shape: shape)
        }
        let made = try device.makeTensor(.f32, shape)
        scratch[name] = made
        return made
    }

    /// Modelled work that one dispatch of `shader` should not exceed, so that a submission ends in time.
    package func workLimit(of shader: Shader) -> Double { device.workLimit(of: shader.name) }

    /// - Parameter shader: what does the work; nil where it is not one alone.
    private mutating func add(_ added: Double, by shader: String?) {
        guard added > 0 else { return }
        work.add(added, by: shader)
        load += added / device.workLimit(of: shader)
    }

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
        if load > 0, load + added / device.workLimit(of: shader.name) > 1 {
            if isReplayed {
                parts.append((target, work))
            } else {
                submitted.append(try target.submit(work: work))
            }
            target = try vulkan.beginRecording(isReplayed: isReplayed)
            (recording, work, load) = (target, SubmitPace.Work(), 0)
        }
        try target.dispatch(shader, constants: constants, reads: reads, writes: writes, push: push, groups: groups)
        add(added, by: shader.name)
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
            device: device, kernels: kernels, parts: parts + [(recording, work)])
    }
}
