import CVulkan
import Synchronization

/// A submitted command buffer: its timeline value and, once done, its timestamps.
///
/// `@unchecked Sendable`: `raw` never changes; `duration` is behind its mutex.
final class VulkanSubmission: @unchecked Sendable {
    private let device: VulkanDevice
    private let value: UInt64
    private let raw: cvk_recording
    private let work: Double
    private let duration = Mutex<Duration?>(nil)

    init(device: VulkanDevice, value: UInt64, raw: cvk_recording, work: Double) {
        self.work = work
        self.device = device
        self.value = value
        self.raw = raw
    }

    deinit { device.retire(raw, value: value) }

    @discardableResult
    func wait() throws(DeviceError) -> Duration {
        if let known = duration.withLock({ $0 }) { return known }
        try device.wait(for: value)
        device.reap()
        let measured = try readTimestamps()
        duration.withLock { $0 = measured }
        device.learnPace(work: work, took: measured)
        return measured
    }

    private func readTimestamps() throws(DeviceError) -> Duration {
        var ticks: (UInt64, UInt64) = (0, 0)
        let result = withUnsafeMutableBytes(of: &ticks) { bytes in
            withUnsafePointer(to: raw) {
                cvk_read_timestamps(device.handle, $0, bytes.bindMemory(to: UInt64.self).baseAddress!)
            }
        }
        try check(result, "reading timestamps")
        let info = device.physical.info
        let bits = info.timestamp_valid_bits
        let mask: UInt64 = bits >= 64 ? .max : (1 << UInt64(bits)) - 1
        let elapsed = Double((ticks.1 &- ticks.0) & mask) * Double(info.timestamp_period_nanoseconds)
        return .nanoseconds(Int64(elapsed))
    }
}
