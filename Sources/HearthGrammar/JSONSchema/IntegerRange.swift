/// Whole numbers between bounds, digit by digit: at most sixteen digits, no leading zeros.
enum IntegerRange {
    private static let largest = 9_999_999_999_999_999

    /// - Parameters: bounds that are part of the range; nil where there is none.
    static func expression(_ low: Int?, _ high: Int?) -> Expression? {
        let (low, high) = (max(low ?? -largest, -largest), min(high ?? largest, largest))
        guard low <= high else { return nil }
        var choices: [Expression] = []
        if low < 0 { choices.append(.sequence([.text("-"), naturals(max(1, -high), -low)])) }
        if high >= 0 { choices.append(naturals(max(0, low), high)) }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private static func naturals(_ low: Int, _ high: Int) -> Expression {
        var choices: [Expression] = []
        var (first, power) = (low, 10)
        while first <= high {
            while power <= first { power *= 10 }
            let last = min(high, power - 1)
            choices.append(between(digits(first)[...], digits(last)[...]))
            first = last + 1
        }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private static func digits(_ number: Int) -> [UInt8] { Array("\(number)".utf8) }

    private static func one(_ low: UInt8, _ high: UInt8) -> Expression {
        .scalar(ScalarSet([UInt32(low)...UInt32(high)]))
    }

    /// Between two numbers of as many digits.
    private static func between(_ low: ArraySlice<UInt8>, _ high: ArraySlice<UInt8>) -> Expression {
        let (zero, nine) = (UInt8(ascii: "0"), UInt8(ascii: "9"))
        guard let a = low.first, let b = high.first else { return .empty }
        if low.allSatisfy({ $0 == zero }), high.allSatisfy({ $0 == nine }) {
            return .repetition(JSONRules.digit, min: low.count, max: low.count)
        }
        let (lows, highs) = (low.dropFirst(), high.dropFirst())
        if a == b { return .sequence([one(a, a), between(lows, highs)]) }
        let zeros = ArraySlice(repeatElement(zero, count: lows.count))
        let nines = ArraySlice(repeatElement(nine, count: lows.count))
        var choices: [Expression] = []
        var (from, to) = (a, b)
        if lows != zeros {
            choices.append(.sequence([one(a, a), between(lows, nines)]))
            from += 1
        }
        if highs != nines {
            choices.append(.sequence([one(b, b), between(zeros, highs)]))
            to -= 1
        }
        if from <= to { choices.append(.sequence([one(from, to), between(zeros, nines)])) }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }
}
