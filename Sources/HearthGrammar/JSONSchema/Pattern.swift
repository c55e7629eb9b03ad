import HearthJSON

/// A regular expression (ECMA-262, what JSON Schema uses) as the inside of a JSON string: what must be escaped there is.
///
/// Anchors stand at the ends only; no look-around, back references or word boundaries. Without an anchor any text may stand there.
struct Pattern {
    private let scalars: [Unicode.Scalar]
    private var at = 0
    private var depth = 0

    private static let maximumLength = 4096

    static func expression(_ pattern: String) throws(GrammarError) -> Expression {
        var parser = Pattern(pattern)
        return try parser.parse()
    }

    private init(_ pattern: String) { scalars = Array(pattern.unicodeScalars) }

    private var peek: Unicode.Scalar? { at < scalars.count ? scalars[at] : nil }

    private func error(_ problem: String) -> GrammarError { GrammarError("pattern, character \(at + 1): \(problem)") }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard peek == scalar else { return false }
        at += 1
        return true
    }

    private mutating func parse() throws(GrammarError) -> Expression {
        guard scalars.count <= Self.maximumLength else {
            throw GrammarError("pattern: more than \(Self.maximumLength) characters")
        }
        let anything = Expression.many(JSONRules.character)
        let before = take("^") ? Expression.empty : anything
        let inner = try alternatives()
        let after = take("$") ? Expression.empty : anything
        guard peek == nil else { throw error("'\(peek!)' is not expected here") }
        return .sequence([before, inner, after])
    }

    private mutating func alternatives() throws(GrammarError) -> Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 64 else { throw error("groups are nested more than 64 deep") }
        var choices = [try sequence()]
        while take("|") { choices.append(try sequence()) }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private mutating func sequence() throws(GrammarError) -> Expression {
        var parts: [Expression] = []
        while let next = peek, next != "|", next != ")" {
            if next == "$", at + 1 == scalars.count { break }
            parts.append(try repeated(try atom()))
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func atom() throws(GrammarError) -> Expression {
        let next = scalars[at]
        at += 1
        switch next {
        case "(":
            if take("?") {
                guard take(":") else { throw error("groups of this kind are not supported") }
            }
            let inner = try alternatives()
            guard take(")") else { throw error("a group has no end") }
            return inner
        case "[": return Self.inString(try set())
        case ".": return Self.inString(ScalarSet("\n\r").inverted)
        case "\\": return Self.inString(try escape(inSet: false))
        case "^", "$": throw error("anchors stand at the ends only")
        case "*", "+", "?", "{", "}", "]": throw error("'\(next)' has nothing to repeat or close")
        default: return Self.inString(ScalarSet([next.value...next.value]))
        }
    }

    private mutating func repeated(_ part: Expression) throws(GrammarError) -> Expression {
        let repeated: Expression
        if take("*") {
            repeated = .many(part)
        } else if take("+") {
            repeated = .repetition(part, min: 1, max: nil)
        } else if take("?") {
            repeated = .optional(part)
        } else if take("{") {
            let low = try number()
            var high: Int? = low
            if take(",") { high = peek == "}" ? nil : try number() }
            guard take("}"), high ?? low >= low else { throw error("a malformed repetition") }
            repeated = .repetition(part, min: low, max: high)
        } else {
            return part
        }
        // How eagerly it matches does not change what matches.
        _ = take("?")
        return repeated
    }

    private mutating func number() throws(GrammarError) -> Int {
        var value: Int?
        while let next = peek, ("0"..."9").contains(next) {
            value = min((value ?? 0) * 10 + Int(next.value - 48), 1 << 31)
            at += 1
        }
        guard let value else { throw error("expected a number") }
        return value
    }

    private mutating func set() throws(GrammarError) -> ScalarSet {
        let isNegated = take("^")
        var ranges: [ClosedRange<UInt32>] = []
        while !take("]") {
            let low = try member()
            if peek == "-", at + 1 < scalars.count, scalars[at + 1] != "]" {
                at += 1
                let high = try member()
                guard let from = low.single, let to = high.single, from <= to else { throw error("a malformed range") }
                ranges.append(from...to)
            } else {
                ranges += low.ranges
            }
        }
        let set = ScalarSet(ranges)
        return isNegated ? set.inverted : set
    }

    private mutating func member() throws(GrammarError) -> ScalarSet {
        guard let next = peek else { throw error("a class has no end") }
        at += 1
        return next == "\\" ? try escape(inSet: true) : ScalarSet([next.value...next.value])
    }

    private static let digits = ScalarSet([0x30...0x39])
    private static let word = ScalarSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    private static let space = ScalarSet("\t\n\u{B}\u{C}\r \u{A0}\u{FEFF}\u{2028}\u{2029}")

    private mutating func escape(inSet: Bool) throws(GrammarError) -> ScalarSet {
        guard let next = peek else { throw error("an escape has no end") }
        at += 1
        switch next {
        case "d": return Self.digits
        case "D": return Self.digits.inverted
        case "w": return Self.word
        case "W": return Self.word.inverted
        case "s": return Self.space
        case "S": return Self.space.inverted
        case "n": return ScalarSet("\n")
        case "r": return ScalarSet("\r")
        case "t": return ScalarSet("\t")
        case "f": return ScalarSet("\u{C}")
        case "v": return ScalarSet("\u{B}")
        case "x": return try hexadecimal(2)
        case "u": return try hexadecimal(4)
        case "b" where inSet: return ScalarSet("\u{8}")
        case _ where next.properties.isAlphabetic || ("0"..."9").contains(next):
            throw error("'\\\(next)' is not supported")
        default: return ScalarSet([next.value...next.value])
        }
    }

    private mutating func hexadecimal(_ digits: Int) throws(GrammarError) -> ScalarSet {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let next = peek, let digit = Character(next).hexDigitValue else {
                throw error("expected \(digits) hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            at += 1
        }
        guard Unicode.Scalar(value) != nil else { throw error("surrogates: write the character itself") }
        return ScalarSet([value...value])
    }

    /// One of the set as it stands in a JSON string. Controls that have no short escape are left out.
    private static func inString(_ set: ScalarSet) -> Expression {
        let plain = set.subtracting(JSONRules.plain.inverted)
        let escaped = ["\"", "\\", "\n", "\r", "\t", "\u{8}", "\u{C}"].compactMap { text -> Expression? in
            let scalar = text.unicodeScalars.first!
            return set.contains(scalar.value) ? .text(JSONValue.escaped(scalar)) : nil
        }
        let choices: [Expression] = (plain.isEmpty ? [] : [Expression.scalar(plain)]) + escaped
        return choices.count == 1 ? choices[0] : .choice(choices)
    }
}

extension ScalarSet {
    /// The only member.
    fileprivate var single: UInt32? {
        ranges.count == 1 && ranges[0].count == 1 ? ranges[0].lowerBound : nil
    }
}
