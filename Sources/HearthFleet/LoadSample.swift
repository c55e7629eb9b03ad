import Foundation
import HearthPolicy

/// How busy a node was over a while.
public struct LoadSample: Sendable, Codable, Hashable {
    /// A quantity over that while.
    public struct Spread: Sendable, Codable, Hashable {
        public var mean, least, most: Double
        public init(mean: Double, least: Double, most: Double) {
            (self.mean, self.least, self.most) = (mean, least, most)
        }
    }

    /// When it ended, by the node's clock, seconds since 1970.
    public var at: Double
    public var seconds: Double
    /// By name, which has its base unit at its end: `cpu_busy_ratio`, `memory_used_bytes`.
    public var values: [String: Spread]

    public init(at: Double, seconds: Double, values: [String: Spread]) {
        (self.at, self.seconds, self.values) = (at, seconds, values)
    }

    public init(at: Double, seconds: Double, values: [String: Double]) {
        self.init(at: at, seconds: seconds, values: values.mapValues { Spread(mean: $0, least: $0, most: $0) })
    }

    /// Nothing that is measured is more, in bytes a second or otherwise, and sums stay finite.
    private static let largest = 1e18

    /// Whether it can be, as far as others than the node can tell.
    public func isPlausible(now: Double) -> Bool {
        // An hour is what clocks may be off.
        at > 0 && at < now + 3600 && seconds > 0 && seconds <= 86400 && values.count <= 64
            && values.allSatisfy { name, value in
                FleetName.isValid(name) && value.least <= value.mean && value.mean <= value.most
                    && abs(value.least) <= Self.largest && abs(value.most) <= Self.largest
            }
    }

    /// One for all of `samples`, which are in order of time: means by how long each lasted, the least and the most of all. A quantity that some do not
    /// have is that of the others.
    public static func merged(_ samples: [LoadSample]) -> LoadSample? {
        guard let last = samples.last else { return nil }
        var sums: [String: (weighted: Double, seconds: Double, least: Double, most: Double)] = [:]
        for sample in samples {
            for (name, value) in sample.values {
                let sum = sums[name] ?? (0, 0, .infinity, -.infinity)
                sums[name] = (
                    sum.weighted + value.mean * sample.seconds, sum.seconds + sample.seconds,
                    min(sum.least, value.least), max(sum.most, value.most)
                )
            }
        }
        return LoadSample(
            at: last.at, seconds: samples.reduce(0) { $0 + $1.seconds },
            values: sums.mapValues { Spread(mean: $0.weighted / $0.seconds, least: $0.least, most: $0.most) })
    }

    /// One for every `width` seconds of those that ended in them; what is longer already stays as it is.
    ///
    /// - Parameter samples: in order of time.
    public static func merged(_ samples: [LoadSample], everySeconds width: Double) -> [LoadSample] {
        var groups: [[LoadSample]] = []
        for sample in samples {
            // One that ends at a window's end is of that window.
            let window = (sample.at / width).rounded(.up)
            if let last = groups.last?.last, (last.at / width).rounded(.up) == window {
                groups[groups.count - 1].append(sample)
            } else {
                groups.append([sample])
            }
        }
        return groups.compactMap { merged($0) }
    }
}

/// What a node's agent sends at once. Sent again, it changes nothing.
public struct LoadBatch: Sendable, Codable, Hashable {
    public let samples: [LoadSample]
    public init(samples: [LoadSample]) { self.samples = samples }
}
