/// Reads llama.cpp's grammar notation: rules `name ::= ...` of literals, classes, `.`, groups, `* + ? {m,n}`, alternatives, and
/// tokens `<[id]>`, `<text>`, `!<...>`; comments from `#`.
///
/// - Source: llama.cpp, grammars/README.md.
struct GBNFParser {
    private let scalars: [Unicode.Scalar]
    private let tokenID: (String) -> Int32?
    private var at = 0
    private var depth = 0
    private(set) var rules: [(name: String, expression: Expression)] = []
    private var names: Set<String> = []

    private static let maximumDepth = 64
    private static let maximumQuantifiers = 4

    /// - Parameter tokenID: the token that a text in angle brackets names.
    init(_ text: String, tokenID: @escaping (String) -> Int32?) {
        scalars = Array(text.unicodeScalars)
        self.tokenID = tokenID
    }

    mutating func parse() throws(GrammarError) {
        skipSpace(newlines: true)
        while peek != nil {
            let name = try self.name()
            skipSpace(newlines: false)
            try expect("::=")
            skipSpace(newlines: true)
            let expression = try alternatives(nested: false)
            guard names.insert(name).inserted else { throw error("rule '\(name)' is defined twice") }
            rules.append((name, expression))
            if let next = peek, next != "\n", next != "\r" {
                throw error("'\(next)' where a rule should end")
            }
            skipSpace(newlines: true)
        }
    }

    // MARK: Scanning

    private var peek: Unicode.Scalar? { at < scalars.count ? scalars[at] : nil }

    private func error(_ problem: String) -> GrammarError {
        GrammarError(line: 1 + scalars.prefix(at).count { $0 == "\n" }, problem)
    }

    private func starts(_ text: String) -> Bool { scalars[at...].starts(with: text.unicodeScalars) }

    private mutating func take(_ text: String) -> Bool {
        guard starts(text) else { return false }
        at += text.unicodeScalars.count
        return true
    }

    private mutating func expect(_ text: String) throws(GrammarError) {
        guard take(text) else {
            throw error("expected '\(text)', found \(peek.map { "'\($0)'" } ?? "the end")")
        }
    }

    private mutating func skipSpace(newlines: Bool) {
        while let next = peek {
            if next == "#" {
                while let comment = peek, comment != "\n", comment != "\r" { at += 1 }
            } else if next == " " || next == "\t" || newlines && (next == "\n" || next == "\r") {
                at += 1
            } else {
                return
            }
        }
    }

    private static func isNamePart(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII
            && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "-" || scalar == "_")
    }

    private mutating func name() throws(GrammarError) -> String {
        let start = at
        while let next = peek, Self.isNamePart(next) { at += 1 }
        guard at > start else { throw error("expected a rule's name, found \(peek.map { "'\($0)'" } ?? "the end")") }
        var name = String.UnicodeScalarView()
        name.append(contentsOf: scalars[start..<at])
        return String(name)
    }

    private mutating func number() throws(GrammarError) -> Int {
        var value = 0
        let start = at
        while let next = peek, ("0"..."9").contains(next) {
            value = min(value * 10 + Int(next.value - 48), 1 << 31)
            at += 1
        }
        guard at > start else { throw error("expected a number") }
        return value
    }

    // MARK: Grammar

    private mutating func alternatives(nested: Bool) throws(GrammarError) -> Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else { throw error("groups are nested more than \(Self.maximumDepth) deep") }
        var choices = [try sequence(nested: nested)]
        while take("|") {
            skipSpace(newlines: true)
            choices.append(try sequence(nested: nested))
        }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private mutating func sequence(nested: Bool) throws(GrammarError) -> Expression {
        var parts: [Expression] = []
        while let part = try item() {
            skipSpace(newlines: nested)
            parts.append(try repeated(part, nested: nested))
            skipSpace(newlines: nested)
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func item() throws(GrammarError) -> Expression? {
        guard let next = peek else { return nil }
        switch next {
        case "\"":
            at += 1
            return try literal()
        case "[":
            at += 1
            return .scalar(try set())
        case ".":
            at += 1
            return .scalar(.all)
        case "(":
            at += 1
            skipSpace(newlines: true)
            let inner = try alternatives(nested: true)
            try expect(")")
            return inner
        case "<": return try token(isNegated: false)
        case "!":
            at += 1
            return try token(isNegated: true)
        case _ where Self.isNamePart(next): return .rule(try name())
        default: return nil
        }
    }

    private mutating func repeated(_ part: Expression, nested: Bool) throws(GrammarError) -> Expression {
        var part = part
        var count = 0
        while let next = peek {
            if count == Self.maximumQuantifiers, "*+?{".unicodeScalars.contains(next) {
                throw error("more than \(Self.maximumQuantifiers) quantifiers in a row")
            }
            count += 1
            switch next {
            case "*": part = .repetition(part, min: 0, max: nil)
            case "+": part = .repetition(part, min: 1, max: nil)
            case "?": part = .repetition(part, min: 0, max: 1)
            case "{":
                at += 1
                skipSpace(newlines: nested)
                let low = peek == "," ? 0 : try number()
                skipSpace(newlines: nested)
                var high: Int? = low
                if take(",") {
                    skipSpace(newlines: nested)
                    high = peek == "}" ? nil : try number()
                    skipSpace(newlines: nested)
                }
                guard peek == "}" else { throw error("expected '}' after the numbers of a repetition") }
                if let high, high < low { throw error("a repetition of \(low) to \(high) times") }
                part = .repetition(part, min: low, max: high)
            default: return part
            }
            at += 1
            skipSpace(newlines: nested)
        }
        return part
    }

    private mutating func literal() throws(GrammarError) -> Expression {
        var text = String.UnicodeScalarView()
        while !take("\"") { text.append(try character(in: "a literal")) }
        return .text(String(text))
    }

    private mutating func set() throws(GrammarError) -> ScalarSet {
        let isNegated = take("^")
        var ranges: [ClosedRange<UInt32>] = []
        while !take("]") {
            let low = try character(in: "a class").value
            if peek == "-", at + 1 < scalars.count, scalars[at + 1] != "]" {
                at += 1
                let high = try character(in: "a class").value
                guard low <= high else { throw error("a class's range runs backwards") }
                ranges.append(low...high)
            } else {
                ranges.append(low...low)
            }
        }
        let set = ScalarSet(ranges)
        return isNegated ? set.inverted : set
    }

    private mutating func character(in what: String) throws(GrammarError) -> Unicode.Scalar {
        guard let next = peek else { throw error("\(what) has no end") }
        at += 1
        guard next == "\\" else { return next }
        guard let escape = peek else { throw error("\(what) has no end") }
        at += 1
        switch escape {
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "x": return try hexadecimal(2)
        case "u": return try hexadecimal(4)
        case "U": return try hexadecimal(8)
        case "\\", "\"", "[", "]", "-", "^": return escape
        default: throw error("unknown escape '\\\(escape)'")
        }
    }

    private mutating func hexadecimal(_ digits: Int) throws(GrammarError) -> Unicode.Scalar {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let next = peek, let digit = Character(next).hexDigitValue, value < 1 << 28 else {
                throw error("expected \(digits) hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            at += 1
        }
        guard let scalar = Unicode.Scalar(value) else { throw error("U+\(String(value, radix: 16)) is no character") }
        return scalar
    }

    private mutating func token(isNegated: Bool) throws(GrammarError) -> Expression {
        try expect("<")
        if take("[") {
            let id = try number()
            try expect("]>")
            guard let id = Int32(exactly: id) else { throw error("\(id) is no token") }
            return .token(id, isNegated: isNegated)
        }
        var text = String.UnicodeScalarView()
        while let next = peek, next != ">", next != "\n" {
            text.append(next)
            at += 1
        }
        try expect(">")
        let whole = "<\(String(text))>"
        guard let id = tokenID(whole) else { throw error("\(whole) is no token of this model") }
        return .token(id, isNegated: isNegated)
    }
}
