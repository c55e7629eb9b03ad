import Foundation
import HearthFleet
import HearthRoofline

/// Whether one device has become slower than it was: by checks of the idle node, and by what kernels of its jobs take.
package struct SpeedWatch: Sendable, Codable {
    /// What is comparable: another device, driver or Hearth is not held to what this one reached.
    package let identity: String
    private var detectors: [String: SlowdownDetector] = [:]
    /// The first ones of each kernel at each size: what later ones are held against, so that a slow decline is seen, too.
    private var times: [KernelTime] = []
    /// What is slow, and by how much it was when that was found; nil where nothing is.
    package private(set) var slowness: String?

    private static let (keptTimes, keptAlike) = (1024, 16)
    /// Less says nothing.
    private static let shortestSeconds = 0.05

    package init(identity: String) { self.identity = identity }

    /// - Parameter reference: the settings'.
    package static func identity(deviceName: String, driver: String, reference: String) -> String {
        ([deviceName, driver, HearthVersion.current] + (reference.isEmpty ? [] : [reference])).joined(separator: "; ")
    }

    /// Takes in a check. Upper quartiles: what comes and goes slows some samples, a slow device all of them.
    package mutating func observe(_ speed: DeviceSpeed) {
        guard speed.isUndisturbed else { return }
        observe("f32 arithmetic", speed.f32FlopsPerSecond.upperQuartile)
        observe("memory bandwidth", speed.copyBytesPerSecond.upperQuartile)
        if let given = speed.coresGiven { observe("processor time given", given.upperQuartile) }
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
        for time in computing where times.count < Self.keptTimes {
            let alike = times.count { $0.work.kernel == time.work.kernel && $0.work.cost == time.work.cost }
            // What it takes while it is slow is learned only of kernels that it never ran before.
            if alike < Self.keptAlike, detectors[name]?.isSlow != true || alike == 0 { times.append(time) }
        }
    }

    private mutating func observe(_ name: String, _ rate: Double) {
        if detectors[name, default: .init()].observe(rate) { slowness = described }
    }

    private var described: String? {
        let slow = detectors.filter(\.value.isSlow).sorted { $0.key < $1.key }.map { name, detector in
            String(
                format: "%@ at %.1f %% of what it was (%d windows on end; below %.1f %% is slow)", name,
                100 * (detector.share ?? 0), SlowdownDetector.windows, 100 * (detector.slowestShare ?? 0))
        }
        return slow.isEmpty ? nil : slow.joined(separator: ", ")
    }

    /// What each figure is of what it was, nil while that is not known well enough, and whether it is slow.
    package var figures: [(name: String, share: Double?, isSlow: Bool)] {
        detectors.sorted { $0.key < $1.key }.map { ($0, $1.share, $1.isSlow) }
    }
}
