/// One answer's way through a grammar, token by token.
///
/// Whether a token may come costs as much as its bytes. The set of all that may come costs a walk over the vocabulary's tree, but
/// is needed only after a token was refused. A class, not thread-safe.
public final class GrammarMatcher {
    private let automaton: GrammarAutomaton
    private let trie: TokenTrie
    private let ends: Set<Int32>
    private var state: GrammarAutomaton.State
    private var masks: [GrammarAutomaton.State: TokenMask] = [:]
    private static let maximumMasks = 256

    /// - Parameter ends: tokens that end an answer: they may come where the grammar is complete.
    public init(_ grammar: Grammar, _ trie: TokenTrie, ends: Set<Int32>) {
        automaton = GrammarAutomaton(grammar)
        (self.trie, self.ends) = (trie, ends)
        state = automaton.start()
    }

    /// Whether the answer may end here.
    public var isComplete: Bool { automaton.isComplete(state) }

    /// Whether the answer may go on.
    public var goesOn: Bool { automaton.goesOn(state) }

    /// Whether the grammar is so ambiguous that following it takes more than an answer may cost.
    public var isExhausted: Bool { automaton.isExhausted }

    public func allows(_ token: Int32) -> Bool {
        if ends.contains(token) { return isComplete }
        return automaton.step(state, token: token, bytes: trie.text(of: token)) >= 0
    }

    /// Takes a token that is allowed and ends nothing.
    public func advance(_ token: Int32) {
        automaton.earn()
        let (tidied, wasCleared) = automaton.tidied(automaton.step(state, token: token, bytes: trie.text(of: token)))
        state = tidied
        if wasCleared { masks = [:] }
    }

    /// All tokens that may come next.
    public func mask() -> TokenMask {
        if let known = masks[state] { return known }
        var mask = TokenMask(vocabularySize: trie.vocabularySize)
        var path: [GrammarAutomaton.State] = [state]
        var at = 0
        while at < trie.nodes.count, !isExhausted {
            let node = trie.nodes[at]
            let depth = Int(node.depth)
            let reached = automaton.step(path[depth], node.byte)
            if reached < 0 {
                at = Int(node.end)
                continue
            }
            path.removeSubrange((depth + 1)...)
            path.append(reached)
            for token in node.first..<node.last { mask.insert(trie.tokens[Int(token)]) }
            at += 1
        }
        addNamed(&mask)
        for end in ends where Int(end) < trie.vocabularySize {
            if isComplete { mask.insert(end) } else { mask.remove(end) }
        }
        if masks.count == Self.maximumMasks { masks = [:] }
        if !isExhausted { masks[state] = mask }
        return mask
    }

    private func addNamed(_ mask: inout TokenMask) {
        let (named, others) = automaton.tokens(state)
        for token in named where Int(token) < trie.vocabularySize { mask.insert(token) }
        if others.isEmpty { return }
        let excluded = Set(others)
        for token in 0..<Int32(trie.vocabularySize) where excluded.count > 1 || !excluded.contains(token) {
            mask.insert(token)
        }
    }
}
