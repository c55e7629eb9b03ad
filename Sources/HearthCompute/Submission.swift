import HearthRoofline

/// Work that was handed to a device. Its buffers stay alive until the device is done, waited for or not.
public final class Submission: Sendable {
    /// What was submitted, with modelled costs.
    public let kernels: [KernelCost]
    private enum State {
        case completed(Duration)
        case pending([VulkanSubmission])
    }
    private let state: State

    init(kernels: [KernelCost], completed duration: Duration) {
        self.kernels = kernels
        state = .completed(duration)
    }

    init(kernels: [KernelCost], pending: [VulkanSubmission]) {
        self.kernels = kernels
        state = .pending(pending)
    }

    /// The time each part took on the device; one part unless work was cut to keep submissions short.
    package func partDurations() throws(DeviceError) -> [Duration] {
        switch state {
        case .completed(let duration): return [duration]
        case .pending(let parts):
            var durations: [Duration] = []
            for part in parts { durations.append(try part.wait()) }
            return durations
        }
    }

    public var cost: Cost { kernels.reduce(.zero) { $0 + $1.cost } }

    /// Blocks until the device is done.
    ///
    /// - Returns: the time the work took on the device: GPU timestamps on Vulkan, wall time on the CPU.
    /// - Throws: `deviceLost`, or `timeout` after ten minutes.
    @discardableResult
    public func wait() throws(DeviceError) -> Duration { try partDurations().reduce(.zero, +) }
}
