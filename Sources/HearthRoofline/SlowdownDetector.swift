import Foundation

/// Whether something has become slower than it was (fail-slow): a rate, measured window after window, against what the first windows gave.
///
/// Slow is 5 % below the slowest but one of the reference, and three standard deviations below its middle. Memory of a virtual machine, for instance,
/// has fast and slow places, and whoever measures gets either. It takes three windows on end whose middle one, by size, is there and of
/// which none is far from it; it is well again when their middle one is more than half way back. Three that are as much faster give a new
/// reference: the old one was taken while something held it back. What looks as if it was becoming slow is not learned: the reference would
/// follow it.
public struct SlowdownDetector: Sendable, Hashable, Codable {
    /// Natural logarithms of the rates of windows that were not slow: the first ones, so that a slow decline is seen, too.
    private var reference: [Double] = []
    /// The newest windows, as the reference's.
    private var newest: [Double] = []
    public private(set) var isSlow = false

    /// Windows before anything is judged, and that make up the reference at most.
    private static let (learning, kept) = (8, 64)
    /// Before what scatters by more than is looked for is judged: what it is like shows in more windows.
    private static let learningScattered = 24
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
        guard newest.count == Self.windows else { return false }
        let ordered = newest.sorted()
        let now = ordered[Self.windows / 2]
        if now > middle - drop / 2, value > middle - drop, reference.count < Self.kept { reference.append(value) }
        if ordered.first! > middle + drop {
            // It is well: two such windows have said so.
            self = Self(reference: newest)
            return false
        }
        let becomesSlow = now < middle - drop && ordered.last! < middle - 0.75 * drop
        guard isSlow ? now > middle - drop / 2 : becomesSlow else { return false }
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
        let scatter = 1.4826 * apart.median
        guard isSlow || scatter <= Self.leastDrop || reference.count >= Self.learningScattered else { return nil }
        let deviation = scatter * (1 + 4 / Double(reference.count))
        // The very slowest may have been anything.
        let usual = all.median - reference.sorted()[1]
        return (all.median, max(usual + Self.leastDrop, 3 * deviation))
    }

    /// What the newest windows are of the reference, 1 being as fast; nil while too few are known.
    public var share: Double? {
        guard let (middle, _) = bounds, let now = MeasuredValue(samples: newest) else { return nil }
        return exp(now.median - middle)
    }

    /// The smallest share that is not slow; nil as above.
    public var slowestShare: Double? { bounds.map { exp(-$0.drop) } }
}
