import HeapModule

/// SentencePiece's byte-pair encoding: characters are joined to the neighbours with which they make the best token.
///
/// - Source: Kudo and Richardson, arXiv 1808.06226.
struct ScoredPairs: Sendable {
    private let tokens: [[UInt8]: Int32]
    private let scores: [Double]

    init(tokens: [String], scores: [Double]) {
        self.tokens = Dictionary(
            zip(tokens.map { Array($0.utf8) }, Int32(0)...), uniquingKeysWith: { first, _ in first })
        self.scores = scores
    }

    private struct Pair: Comparable {
        let score: Double
        let left, right: Int
        /// Bytes of both: the pair is stale once either has grown.
        let count: Int
        static func < (a: Pair, b: Pair) -> Bool { (-a.score, a.left) < (-b.score, b.left) }
        static func == (a: Pair, b: Pair) -> Bool { (a.score, a.left) == (b.score, b.left) }
    }

    /// The symbols that `text` ends as, nil for one that is no token. Time grows as n log n with its length.
    func split(_ text: String) -> [(id: Int32?, text: Substring)] {
        let all = Array(text.utf8)
        // Where each symbol begins and how long it is; a length of 0 has been joined to the one before.
        let starts = all.indices.filter { all[$0] & 0xC0 != 0x80 }
        var counts = starts.indices.map { ($0 + 1 < starts.count ? starts[$0 + 1] : all.count) - starts[$0] }
        var previous = Array(-1..<starts.count - 1)
        var next = Array(1..<starts.count + 1)
        var heap = Heap<Pair>()
        func consider(_ left: Int, _ right: Int) {
            guard left >= 0, right < starts.count else { return }
            let count = counts[left] + counts[right]
            guard let id = tokens[Array(all[starts[left]..<starts[left] + count])] else { return }
            heap.insert(Pair(score: scores[Int(id)], left: left, right: right, count: count))
        }
        for index in starts.indices.dropLast() { consider(index, index + 1) }
        while let best = heap.popMin() {
            guard counts[best.left] > 0, counts[best.right] > 0, counts[best.left] + counts[best.right] == best.count
            else { continue }
            counts[best.left] = best.count
            counts[best.right] = 0
            next[best.left] = next[best.right]
            if next[best.left] < starts.count { previous[next[best.left]] = best.left }
            consider(previous[best.left], best.left)
            consider(best.left, next[best.left])
        }
        return starts.indices.filter { counts[$0] > 0 }.map { index in
            let range = starts[index]..<starts[index] + counts[index]
            let utf8 = text.utf8
            let start = utf8.index(utf8.startIndex, offsetBy: range.lowerBound)
            return (tokens[Array(all[range])], text[start..<utf8.index(start, offsetBy: range.count)])
        }
    }
}
