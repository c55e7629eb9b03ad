/// What one pass computes: pieces of sequences, side by side.
///
/// Single tokens come first, whatever the order given: their attention is one call over all of them.
public struct Batch: Sendable {
    /// Which of a piece's tokens become logits.
    public enum Outputs: Sendable { case none, last, all }

    /// Consecutive tokens of one sequence.
    public struct Piece: Sendable {
        public var tokens: [Int32]
        /// Where the first of them stands in its sequence.
        public var position: Int
        /// The sequence's pages in the pool, enough for its last token here.
        public var pages: [Int32]
        public var outputs: Outputs

        public init(tokens: [Int32], position: Int, pages: [Int32], outputs: Outputs = .last) {
            (self.tokens, self.position, self.pages, self.outputs) = (tokens, position, pages, outputs)
        }

        /// Keys that its last token sees.
        public var keyCount: Int { position + tokens.count }
    }

    /// Single tokens first.
    public let pieces: [Piece]
    /// Which piece as given each of `pieces` is.
    public let order: [Int]
    public let tokenCount: Int
    /// How many pieces are one token.
    public let singleCount: Int
    /// Rows of the pass whose logits are wanted, in the order of `pieces`.
    public let outputRows: [Int]

    public init(_ given: [Piece]) {
        precondition(given.allSatisfy { !$0.tokens.isEmpty }, "a piece without tokens")
        order =
            given.indices.filter { given[$0].tokens.count == 1 } + given.indices.filter { given[$0].tokens.count > 1 }
        pieces = order.map { given[$0] }
        singleCount = given.count { $0.tokens.count == 1 }
        var rows: [Int] = []
        var first = 0
        for piece in pieces {
            switch piece.outputs {
            case .none: break
            case .last: rows.append(first + piece.tokens.count - 1)
            case .all: rows += first..<first + piece.tokens.count
            }
            first += piece.tokens.count
        }
        (tokenCount, outputRows) = (first, rows)
    }

    /// Whether every token is a sequence's next one: such a pass can be recorded.
    public var isDecodeStep: Bool { singleCount == pieces.count && outputRows.count == singleCount }
}
