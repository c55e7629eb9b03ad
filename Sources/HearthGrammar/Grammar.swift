/// A context-free grammar over bytes and tokens, laid out for `GrammarAutomaton`: alternatives are runs of symbols.
public struct Grammar: Sendable {
    enum Symbol: Sendable, Hashable {
        /// One byte of the set with this index.
        case bytes(Int32)
        case rule(Int32)
        case token(Int32)
        case otherToken(Int32)
        case end
    }

    /// Of all alternatives, one after the other, each with an `end`.
    let symbols: [Symbol]
    /// Where each rule's alternatives start.
    let alternatives: [[Int32]]
    let sets: [ByteSet]
    let root: Int32
    /// Whether tokens stand in it: then a token is more than its bytes.
    let hasTokens: Bool

    /// A grammar of more symbols than this is refused.
    static let maximumSymbols = 1 << 17

    /// - Parameters:
    ///   - gbnf: llama.cpp's notation; the answer is what `root` describes.
    ///   - tokenID: the token that a text in angle brackets names.
    /// - Throws: `GrammarError` naming the line, or the rule.
    public init(gbnf: String, tokenID: @escaping (String) -> Int32? = { _ in nil }) throws(GrammarError) {
        var parser = GBNFParser(gbnf, tokenID: tokenID)
        try parser.parse()
        try self.init(rules: parser.rules, root: "root")
    }

    /// - Throws: `GrammarError` where a rule is missing, or begins with itself, or all is too large.
    init(rules: [(name: String, expression: Expression)], root: String) throws(GrammarError) {
        var layout = GrammarLayout(rules.map(\.name))
        for (index, rule) in rules.enumerated() { try layout.define(index, rule.expression) }
        guard let root = rules.firstIndex(where: { $0.name == root }) else {
            throw GrammarError("there is no rule '\(root)'")
        }
        (symbols, alternatives, sets) = layout.finished()
        self.root = Int32(root)
        hasTokens = symbols.contains {
            switch $0 {
            case .token, .otherToken: true
            default: false
            }
        }
        if let rule = LeftRecursion(self).rule {
            let name = rule < rules.count ? "'\(rules[rule].name)'" : "with a repetition"
            throw GrammarError("rule \(name) begins with itself")
        }
    }
}
