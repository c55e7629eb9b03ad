import Foundation
import HearthFleet
import HearthRoofline

/// Whether one device has become slower than it was: by checks of the idle node, and by what kernels of its jobs take.
package struct SpeedWatch: Sendable, Codable {
    /// What is comparable: another device, driver or Hearth is not held to what this one reached.
    package let identity: String
    private var detectors: [String: SlowdownDetector] = [:]
    /// Of kernels while the device was not slow, the oldest first.
    private var times: [KernelTime] = []

    private static let keptTimes = 256
    /// Less says nothing.
    private static let shortestSeconds = 0.05

    package init(identity: String) { self.identity = identity }

    package static func identity(deviceName: String, driver: String) -> String {
        "\(deviceName); \(driver); \(HearthVersion.current)"
    }

    /// Takes in a check. Upper quartiles: what comes and goes slows some samples, a slow device all of them.
    package mutating func observe(_ speed: DeviceSpeed) {
        guard speed.isUndisturbed else { return }
        observe("f32 arithmetic", speed.f32FlopsPerSecond.upperQuartile)
        observe("memory bandwidth", speed.copyBytesPerSecond.upperQuartile)
    }

    /// Takes in what the kernels of a job took, against what the same ones took before.
    package mutating func observe(_ kernels: [KernelTime], _ ceilings: Ceilings) {
        // Loading and preparing is not the device's doing.
        let computing = kernels.filter { $0.work.cost.flops > 0 }
        let history = KernelHistory(times)
        var (expected, actual) = (0.0, 0.0)
        for time in computing {
            let known = history.seconds(time.work, ceilings)
            if known.isMeasured { (expected, actual) = (expected + known.seconds, actual + time.seconds) }
        }
        let name = "kernels of jobs"
        if expected >= Self.shortestSeconds, actual > 0 { observe(name, expected / actual) }
        if detectors[name]?.isSlow != true { times = (times + computing).suffix(Self.keptTimes) }
    }

    private mutating func observe(_ name: String, _ rate: Double) {
        _ = detectors[name, default: .init()].observe(rate)
    }

    /// What is slow, and by how much; nil where nothing is.
    package var slowness: String? {
        let slow = detectors.filter(\.value.isSlow).sorted { $0.key < $1.key }.map { name, detector in
            String(
                format: "%@ at %.1f %% of what it was (%d windows on end; below %.1f %% is slow)", name,
                100 * (detector.share ?? 0), SlowdownDetector.windows, 100 * (detector.slowestShare ?? 0))
        }
        return slow.isEmpty ? nil : slow.joined(separator: ", ")
    }

    /// What each figure is of what it was; of those that are known well enough.
    package var shares: [(figure: String, share: Double)] {
        detectors.sorted { $0.key < $1.key }.compactMap { name, detector in detector.share.map { (name, $0) } }
    }
}
