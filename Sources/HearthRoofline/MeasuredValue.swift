/// A measured figure: the median of repeated samples and how far they spread.
public struct MeasuredValue: Sendable, Hashable, Codable {
    public var median: Double
    /// Lower and upper quartile of the samples.
    public var lowerQuartile: Double
    public var upperQuartile: Double
    public var sampleCount: Int

    /// Summarises `samples`; nil when there are none.
    public init?(samples: [Double]) {
        guard !samples.isEmpty else { return nil }
        let sorted = samples.sorted()
        median = Self.quantile(0.5, of: sorted)
        lowerQuartile = Self.quantile(0.25, of: sorted)
        upperQuartile = Self.quantile(0.75, of: sorted)
        sampleCount = sorted.count
    }

    /// (upper quartile - lower quartile) / median.
    public var spread: Double { median == 0 ? 0 : (upperQuartile - lowerQuartile) / median }

    /// Linear interpolation between the two nearest order statistics; `sorted` is ascending and not empty.
    static func quantile(_ q: Double, of sorted: [Double]) -> Double {
        let position = q * Double(sorted.count - 1)
        let below = Int(position)
        let above = min(below + 1, sorted.count - 1)
        return sorted[below] + (sorted[above] - sorted[below]) * (position - Double(below))
    }
}
