import CVulkan
import Synchronization

/// A submitted command buffer: its timeline value and, once done, its timestamps.
///
/// Holds its recording, which goes back to the device after the last submission that does.
final class VulkanSubmission: Sendable {
    private let device: VulkanDevice
    /// What the device's timeline reaches with it.
    let value: UInt64
    private let recording: VulkanRecording
    private let work: SubmitPace.Work
    private let duration = Mutex<Duration?>(nil)

    init(device: VulkanDevice, value: UInt64, recording: VulkanRecording, work: SubmitPace.Work) {
        self.work = work
        self.device = device
        self.value = value
        self.recording = recording
    }

    @discardableResult
    func wait() throws(DeviceError) -> Duration {
        if let known = duration.withLock({ $0 }) { return known }
        try device.wait(for: value)
        device.reap()
        // Read once and under the lock: whoever submits the recording again, and so resets its queries, has waited here before.
        let (measured, isNew) = try duration.withLock { duration throws(DeviceError) in
            if let duration { return (duration, false) }
            let measured = try readTimestamps()
            duration = measured
            return (measured, true)
        }
        if isNew { device.learnPace(work, took: measured) }
        return measured
    }

    private func readTimestamps() throws(DeviceError) -> Duration {
        var ticks: (UInt64, UInt64) = (0, 0)
        try withUnsafeMutableBytes(of: &ticks) { bytes throws(DeviceError) in
            try recording.readTimestamps(bytes.bindMemory(to: UInt64.self).baseAddress!)
        }
        let info = device.physical.info
        let bits = info.timestamp_valid_bits
        let mask: UInt64 = bits >= 64 ? .max : (1 << UInt64(bits)) - 1
        let elapsed = Double((ticks.1 &- ticks.0) & mask) * Double(info.timestamp_period_nanoseconds)
        return .nanoseconds(Int64(elapsed))
    }
}
