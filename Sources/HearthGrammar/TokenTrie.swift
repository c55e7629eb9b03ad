/// The texts of a vocabulary as a tree of bytes, so that what a grammar refuses is refused once for all tokens that begin so.
public struct TokenTrie: Sendable {
    /// In depth-first order; a node's subtree ends before `end`.
    struct Node {
        let byte: UInt8
        let depth: UInt16
        var end: Int32
        /// Range of `tokens` whose text ends here.
        var first, last: Int32
    }
    let nodes: [Node]
    let tokens: [Int32]
    public let vocabularySize: Int
    private let texts: [[UInt8]]

    /// - Parameter texts: the bytes of each token, none for those that are no text.
    public init(_ texts: [[UInt8]]) {
        self.texts = texts
        vocabularySize = texts.count
        let order = texts.indices.filter { !texts[$0].isEmpty }
            .sorted { Self.isBefore(texts[$0], texts[$1]) }
        var (nodes, tokens): ([Node], [Int32]) = ([], [])
        /// The nodes from the root to the text before.
        var path: [Int] = []
        for id in order {
            let text = texts[id].prefix(Int(UInt16.max))
            var shared = 0
            while shared < min(path.count, text.count), nodes[path[shared]].byte == text[shared] { shared += 1 }
            for node in path[shared...] { nodes[node].end = Int32(nodes.count) }
            path.removeSubrange(shared...)
            for depth in shared..<text.count {
                path.append(nodes.count)
                let at = Int32(tokens.count)
                nodes.append(Node(byte: text[depth], depth: UInt16(depth), end: 0, first: at, last: at))
            }
            tokens.append(Int32(id))
            nodes[path[text.count - 1]].last = Int32(tokens.count)
        }
        for node in path { nodes[node].end = Int32(nodes.count) }
        (self.nodes, self.tokens) = (nodes, tokens)
    }

    private static func isBefore(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        for (x, y) in zip(a, b) where x != y { return x < y }
        return a.count < b.count
    }

    /// nil where the token is no text.
    public func text(of token: Int32) -> [UInt8]? {
        guard texts.indices.contains(Int(token)), !texts[Int(token)].isEmpty else { return nil }
        return texts[Int(token)]
    }
}

/// A set of tokens.
public struct TokenMask: Sendable {
    private var words: [UInt64]

    init(vocabularySize: Int) { words = Array(repeating: 0, count: (vocabularySize + 63) / 64) }

    mutating func insert(_ token: Int32) { words[Int(token) >> 6] |= 1 << UInt64(token & 63) }

    mutating func remove(_ token: Int32) { words[Int(token) >> 6] &= ~(1 << UInt64(token & 63)) }

    public func contains(_ token: Int32) -> Bool { words[Int(token) >> 6] >> UInt64(token & 63) & 1 == 1 }

    public var isEmpty: Bool { words.allSatisfy { $0 == 0 } }
}
