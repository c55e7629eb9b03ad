import HearthRoofline
import Synchronization

/// Kernels that were encoded once and run as often as they are submitted, on whatever their tensors then hold: encoding, which
/// takes the host microseconds a kernel, is paid once. Its tensors stay alive as long as it does.
public final class RecordedWork: Sendable {
    public let kernels: [KernelCost]
    private struct Part: Sendable {
        let recording: VulkanRecording
        let work: Double
    }
    private let parts: [Part]
    private let last = Mutex<Submission?>(nil)

    init(kernels: [KernelCost], parts: [(recording: VulkanRecording, work: Double)]) {
        self.kernels = kernels
        self.parts = parts.map { Part(recording: $0.recording, work: $0.work) }
    }

    /// Hands the work to the device once more, waiting first for the submission before it.
    public func submit() throws(DeviceError) -> Submission {
        try last.withLock { last throws(DeviceError) in
            try last?.wait()
            var pending: [VulkanSubmission] = []
            for part in parts { pending.append(try part.recording.submit(work: part.work)) }
            let submission = Submission(kernels: kernels, pending: pending)
            last = submission
            return submission
        }
    }
}
