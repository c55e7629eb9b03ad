import Foundation

/// What kernels took on one device before: what a roofline leaves out.
///
/// A kernel seldom reaches its roof, and by how much it falls short depends on the kernel and on its size, and on little else. So a
/// prediction is the roofline's, times what launches of that kernel nearest in size took beyond their own.
public struct KernelHistory: Sendable {
    private var times: [String: [KernelTime]] = [:]

    /// Sizes that an estimate is taken from.
    private static let neighbours = 7
    /// A shorter time says more of caches and clocks than of the kernel.
    private static let shortest = 2e-3

    /// - Parameter times: of one device, the oldest first.
    public init(_ times: [KernelTime] = []) { add(times) }

    /// - Parameter times: the oldest first, all newer than what is known.
    public mutating func add(_ times: [KernelTime]) {
        // What costs nothing is a job's start; anything else without a cost did nothing.
        for time in times
        where time.work.cost == .zero ? time.work.kernel.hasPrefix("start.") : time.seconds >= Self.shortest {
            self.times[time.work.kernel, default: []].append(time)
        }
    }

    /// The seconds of all launches of `work` on a device with `ceilings`.
    ///
    /// - Returns: `isMeasured` is false where the kernel was never seen: then it is the least that it can take.
    public func seconds(_ work: KernelWork, _ ceilings: Ceilings) -> (seconds: Double, isMeasured: Bool) {
        let known = times[work.kernel] ?? []
        if work.cost == .zero {
            let each = known.suffix(Self.neighbours).map { $0.seconds / Double($0.work.launches) }
            return (Double(work.launches) * (MeasuredValue(samples: each)?.median ?? 0), !each.isEmpty)
        }
        let least = Double(work.launches) * Self.roof(work, ceilings)
        // Of equally near ones the newest.
        let near = known.enumerated().map { (distance: Self.distance(work.cost, $1.work.cost), age: -$0, time: $1) }
            .sorted { ($0.distance, $0.age) < ($1.distance, $1.age) }.prefix(Self.neighbours)
        guard let nearest = near.first else { return (least, false) }
        // Those of another size count where there are none of the same.
        let alike = near.filter { $0.distance <= nearest.distance + 0.1 }
        let ratios = (alike.count >= 3 ? alike : Array(near.prefix(3))).map {
            (
                $0.time.seconds / Double($0.time.work.launches) / Self.roof($0.time.work, ceilings),
                1 / (0.05 + $0.distance)
            )
        }
        return (least * Self.weightedMedian(ratios), true)
    }

    private static func roof(_ work: KernelWork, _ ceilings: Ceilings) -> Double {
        max(ceilings.seconds(for: work.cost, arithmetic: work.arithmetic, conservative: true), 1e-12)
    }

    /// How many doublings apart two sizes are.
    private static func distance(_ a: Cost, _ b: Cost) -> Double {
        abs(log2((a.flops + 1) / (b.flops + 1))) + abs(log2((a.byteCount + 1) / (b.byteCount + 1)))
    }

    private static func weightedMedian(_ values: [(value: Double, weight: Double)]) -> Double {
        let sorted = values.sorted { $0.value < $1.value }
        var left = sorted.reduce(0) { $0 + $1.weight } / 2
        for (value, weight) in sorted {
            left -= weight
            if left <= 0 { return value }
        }
        return sorted.last?.value ?? 1
    }
}

/// How long a job is expected to take on a device.
public struct JobPrediction: Sendable, Codable, Hashable {
    public let seconds: Double
    /// Whatever somebody says that a job computes: thirty years are for ever.
    static let longest = 1e9

    /// Kernels that the device has run before, of how many: the others are taken at their roof.
    public let measuredKernels, kernels: Int

    public init(_ work: [KernelWork], _ ceilings: Ceilings, _ history: KernelHistory) {
        let parts = work.map { history.seconds($0, ceilings) }
        let sum = parts.reduce(0) { $0 + $1.seconds }
        seconds = sum.isFinite ? min(max(sum, 0), Self.longest) : Self.longest
        (measuredKernels, kernels) = (parts.count { $0.isMeasured }, parts.count)
    }
}
