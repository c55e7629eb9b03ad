/// What a text may be: the common form of grammars in GBNF and of JSON schemas, before `Grammar` lays it out.
public indirect enum Expression: Sendable, Hashable {
    case literal([UInt8])
    /// One Unicode scalar of the set.
    case scalar(ScalarSet)
    case sequence([Expression])
    case choice([Expression])
    /// `min` times at least, `max` at most, without a bound when nil.
    case repetition(Expression, min: Int, max: Int?)
    case rule(String)
    /// The token as a whole, or any other token.
    case token(Int32, isNegated: Bool)

    static let empty = Expression.sequence([])

    static func text(_ text: String) -> Expression { .literal(Array(text.utf8)) }

    static func optional(_ expression: Expression) -> Expression { .repetition(expression, min: 0, max: 1) }

    static func many(_ expression: Expression) -> Expression { .repetition(expression, min: 0, max: nil) }
}

/// Ranges of Unicode scalars, ascending and apart.
public struct ScalarSet: Sendable, Hashable {
    public let ranges: [ClosedRange<UInt32>]

    static let all = ScalarSet([0...0x10FFFF])

    /// Surrogates are no scalars: they are left out.
    init(_ ranges: [ClosedRange<UInt32>]) {
        var merged: [ClosedRange<UInt32>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound &+ 1 {
                merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        self.ranges = merged.flatMap { range -> [ClosedRange<UInt32>] in
            let (low, high) = (range.lowerBound, min(range.upperBound, 0x10FFFF))
            return [(low, min(high, 0xD7FF)), (max(low, 0xE000), high)].filter { $0.0 <= $0.1 }.map { $0.0...$0.1 }
        }
    }

    init(_ text: String) { self.init(text.unicodeScalars.map { $0.value...$0.value }) }

    var inverted: ScalarSet {
        var (next, gaps): (UInt32, [ClosedRange<UInt32>]) = (0, [])
        for range in ranges {
            if range.lowerBound > next { gaps.append(next...range.lowerBound - 1) }
            next = range.upperBound + 1
        }
        if next <= 0x10FFFF { gaps.append(next...0x10FFFF) }
        return ScalarSet(gaps)
    }

    func union(_ other: ScalarSet) -> ScalarSet { ScalarSet(ranges + other.ranges) }

    func subtracting(_ other: ScalarSet) -> ScalarSet { inverted.union(other).inverted }

    func contains(_ scalar: UInt32) -> Bool { ranges.contains { $0.contains(scalar) } }

    var isEmpty: Bool { ranges.isEmpty }
}
