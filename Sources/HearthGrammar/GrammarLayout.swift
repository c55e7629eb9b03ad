/// Lays expressions out as rules of plain symbols.
struct GrammarLayout {
    private typealias Symbol = Grammar.Symbol
    private let names: [String: Int32]
    private var rules: [[[Symbol]]]
    private var sets: [ByteSet] = []
    private var setIndices: [ByteSet: Int32] = [:]
    /// Rules made for sets, so that equal ones are made once.
    private var made: [ScalarSet: Int32] = [:]
    private var count = 0

    init(_ names: [String]) {
        self.names = Dictionary(names.enumerated().map { ($1, Int32($0)) }, uniquingKeysWith: { first, _ in first })
        rules = Array(repeating: [], count: names.count)
    }

    mutating func define(_ index: Int, _ expression: Expression) throws(GrammarError) {
        try grow(1)
        rules[index] = try choices(expression)
    }

    func finished() -> ([Grammar.Symbol], [[Int32]], [ByteSet]) {
        var symbols: [Symbol] = []
        var starts: [[Int32]] = []
        for rule in rules {
            starts.append([])
            for alternative in rule {
                starts[starts.count - 1].append(Int32(symbols.count))
                symbols += alternative
                symbols.append(.end)
            }
        }
        return (symbols, starts, sets)
    }

    private mutating func grow(_ by: Int) throws(GrammarError) {
        count += by
        if count > Grammar.maximumSymbols {
            throw GrammarError("repetitions and literals make more than \(Grammar.maximumSymbols) symbols")
        }
    }

    private mutating func choices(_ expression: Expression) throws(GrammarError) -> [[Symbol]] {
        try grow(1)
        switch expression {
        case .choice(let options):
            var all: [[Symbol]] = []
            try grow(options.count)
            for option in options { all += try choices(option) }
            return all
        case .scalar(let set):
            // The sequences of one byte, which are ASCII, share a symbol.
            let sequences = set.byteSequences
            let single = sequences.filter { $0.count == 1 }.map { $0[0] }
            try grow(sequences.reduce(1) { $0 + $1.count })
            return (single.isEmpty ? [] : [[symbol(ByteSet(single))]])
                + sequences.filter { $0.count > 1 }.map { $0.map { symbol(ByteSet([$0])) } }
        default: return [try run(expression)]
        }
    }

    private mutating func run(_ expression: Expression) throws(GrammarError) -> [Symbol] {
        try grow(1)
        switch expression {
        case .literal(let bytes):
            try grow(bytes.count)
            return bytes.map { symbol(ByteSet([$0...$0])) }
        case .sequence(let parts):
            var all: [Symbol] = []
            for part in parts { all += try run(part) }
            return all
        case .rule(let name):
            guard let index = names[name] else { throw GrammarError("there is no rule '\(name)'") }
            try grow(1)
            return [.rule(index)]
        case .token(let id, let isNegated):
            try grow(1)
            return [isNegated ? .otherToken(id) : .token(id)]
        case .scalar(let set) where set.byteSequences.allSatisfy { $0.count == 1 } && !set.isEmpty:
            return try choices(expression)[0]
        case .repetition(let part, let low, let high): return try repetition(part, low, high)
        case .scalar, .choice: return [.rule(try rule(expression))]
        }
    }

    private mutating func rule(_ expression: Expression) throws(GrammarError) -> Int32 {
        if case .scalar(let set) = expression, let known = made[set] { return known }
        rules.append(try choices(expression))
        if case .scalar(let set) = expression { made[set] = Int32(rules.count - 1) }
        return Int32(rules.count - 1)
    }

    /// `low` times, then a rule for the rest: all of it optional, each part only after the one before.
    private mutating func repetition(_ part: Expression, _ low: Int, _ high: Int?) throws(GrammarError) -> [Symbol] {
        guard low <= Grammar.maximumSymbols, high ?? 0 <= Grammar.maximumSymbols else {
            throw GrammarError("a repetition of more than \(Grammar.maximumSymbols) times")
        }
        var one = try run(part)
        if one.count > 1 {
            rules.append([one])
            one = [.rule(Int32(rules.count - 1))]
        }
        try grow(low * max(1, one.count))
        let first = Array(repeatElement(one, count: low).joined())
        var rest = Int32(rules.count)
        guard let high else {
            rules.append([one + [.rule(rest)], []])
            try grow(2)
            return first + [.rule(rest)]
        }
        if high == low { return first }
        try grow(3 * (high - low))
        rules.append([one, []])
        for _ in 1..<max(high - low, 1) {
            rules.append([one + [.rule(rest)], []])
            rest = Int32(rules.count - 1)
        }
        return first + [.rule(rest)]
    }

    private mutating func symbol(_ set: ByteSet) -> Symbol {
        if let known = setIndices[set] { return .bytes(known) }
        sets.append(set)
        setIndices[set] = Int32(sets.count - 1)
        return .bytes(Int32(sets.count - 1))
    }
}
