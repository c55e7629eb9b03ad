import Foundation

/// Whether something has become slower than it was (fail-slow): a rate, measured window after window, against what the first windows gave.
///
/// A window is slow that is 5 % below what was usual: below all but a tenth of the reference, and four standard deviations below its middle. Memory
/// of a virtual machine, for instance, has fast and slow places, and whoever measures gets either. Three slow windows on end make it slow, and three
/// others make it well again. Three that are as much faster give a new reference: the old one was taken while something held it back.
public struct SlowdownDetector: Sendable, Hashable, Codable {
    /// Natural logarithms of the rates of windows that were not slow: the first ones, so that a slow decline is seen, too.
    private var reference: [Double] = []
    /// The newest windows, as the reference's.
    private var newest: [Double] = []
    public private(set) var isSlow = false

    /// Windows before anything is judged, and that make up the reference at most.
    private static let (learning, kept) = (8, 64)
    /// On end, that change the verdict.
    public static let windows = 3
    private static let leastDrop = 0.05

    public init() {}

    /// Takes in a window's rate, in any unit. - Returns: whether the verdict changed.
    public mutating func observe(_ rate: Double) -> Bool {
        guard rate > 0, rate.isFinite else { return false }
        let value = log(rate)
        newest = newest.suffix(Self.windows - 1) + [value]
        guard let (middle, drop) = bounds else {
            reference.append(value)
            return false
        }
        if value >= middle - drop, reference.count < Self.kept { reference.append(value) }
        guard newest.count == Self.windows else { return false }
        if newest.allSatisfy({ $0 > middle + drop }) { self = Self(reference: newest) }
        let slow = newest.count { $0 < middle - drop }
        guard isSlow ? slow == 0 : slow == Self.windows else { return false }
        isSlow.toggle()
        return true
    }

    private init(reference: [Double]) { self.reference = reference }

    /// The reference's middle, and how far below it a window is slow; nil while there are too few.
    private var bounds: (middle: Double, drop: Double)? {
        guard reference.count >= Self.learning, let all = MeasuredValue(samples: reference),
            let apart = MeasuredValue(samples: reference.map { abs($0 - all.median) })
        else { return nil }
        // Of a normal distribution the standard deviation is 1.4826 times the median distance; what few windows say of it is little.
        let deviation = 1.4826 * apart.median * (1 + 4 / Double(reference.count))
        let usual = all.median - MeasuredValue.quantile(0.1, of: reference.sorted())
        return (all.median, max(usual + Self.leastDrop, 4 * deviation))
    }

    /// What the newest windows are of the reference, 1 being as fast; nil while too few are known.
    public var share: Double? {
        guard let (middle, _) = bounds, let now = MeasuredValue(samples: newest) else { return nil }
        return exp(now.median - middle)
    }

    /// The smallest share that is not slow; nil as above.
    public var slowestShare: Double? { bounds.map { exp(-$0.drop) } }
}
