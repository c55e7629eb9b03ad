import HearthRoofline

/// Kernels that were encoded once and run as often as they are submitted, on whatever their tensors then hold: encoding, which
/// takes the host microseconds a kernel, is paid once. Its tensors stay alive as long as it does.
///
/// One owner submits; the submissions may go anywhere.
public final class RecordedWork {
    public let kernels: [KernelCost]
    private let device: Device
    private let parts: [(recording: VulkanRecording, work: SubmitPace.Work)]
    /// Of each part, the share of a submission that it was to take when it was cut.
    private let loads: [Double]
    private var last: Submission?

    init(
        device: Device, kernels: [KernelCost], parts: [(recording: VulkanRecording, work: SubmitPace.Work)]
    ) {
        (self.device, self.kernels, self.parts) = (device, kernels, parts)
        loads = parts.map { Self.load($0.work, device) }
    }

    private static func load(_ work: SubmitPace.Work, _ device: Device) -> Double {
        work.total / device.workLimit(of: work.shader)
    }

    /// Hands the work to the device once more, waiting first for the submission before it.
    public func submit() throws(DeviceError) -> Submission {
        try last?.wait()
        var pending: [VulkanSubmission] = []
        do throws(DeviceError) {
            for part in parts { pending.append(try part.recording.submit(work: part.work)) }
        } catch {
            // Nothing runs on when the caller hears of it: its tensors may be written again.
            for submission in pending { _ = try? submission.wait() }
            throw error
        }
        let submission = Submission(kernels: kernels, pending: pending)
        last = submission
        return submission
    }

    /// Whether the device has turned out so much slower than was known that the parts are too long for its submit budget.
    public var isOutdated: Bool {
        zip(parts, loads).contains { part, load in
            let now = Self.load(part.work, device)
            return now > 1 && now > 2 * load
        }
    }
}
