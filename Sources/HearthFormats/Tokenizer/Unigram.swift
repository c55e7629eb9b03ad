/// SentencePiece's unigram model: of all ways to write a text in pieces, the one whose scores add up to most.
///
/// - Source: Kudo, arXiv 1804.10959.
struct Unigram: Sendable {
    /// A tree over characters: where node and character lead, and which piece ends at a node.
    private var children: [UInt64: UInt32] = [:]
    private var ends: [Int32?] = [nil]
    private let scores: [Double]
    /// What a character that is no piece costs.
    private let unknownScore: Double

    init(pieces: [ExactString: Int32], scores: [Double]) {
        self.scores = scores
        unknownScore = (pieces.values.map { scores[Int($0)] }.min() ?? 0) - 10
        for (piece, id) in pieces {
            var node: UInt32 = 0
            for scalar in piece.text.unicodeScalars {
                let key = Self.key(node, scalar)
                if let next = children[key] {
                    node = next
                } else {
                    node = UInt32(ends.count)
                    children[key] = node
                    ends.append(nil)
                }
            }
            ends[Int(node)] = id
        }
    }

    private static func key(_ node: UInt32, _ scalar: Unicode.Scalar) -> UInt64 {
        UInt64(node) << 32 | UInt64(scalar.value)
    }

    /// The pieces of `text` in order, nil for a run of characters that are none. Time grows with the text times the longest
    /// piece that begins in it.
    func split(_ text: String) -> [(id: Int32?, text: Substring)] {
        let scalars = text.unicodeScalars
        let places = Array(scalars.indices) + [scalars.endIndex]
        /// The best way to come to each place: from where, and with which piece.
        var best = [(score: Double, from: Int, id: Int32?)?](repeating: nil, count: places.count)
        best[0] = (0, 0, nil)
        for start in places.indices.dropLast() {
            let score = best[start]!.score
            func offer(_ end: Int, _ candidate: Double, _ id: Int32?) {
                if let known = best[end], known.score >= candidate { return }
                best[end] = (candidate, start, id)
            }
            var hasOne = false
            var node: UInt32 = 0
            for end in start + 1..<places.count {
                guard let next = children[Self.key(node, scalars[places[end - 1]])] else { break }
                node = next
                guard let id = ends[Int(node)] else { continue }
                hasOne = hasOne || end == start + 1
                offer(end, score + scores[Int(id)], id)
            }
            if !hasOne { offer(start + 1, score + unknownScore, nil) }
        }
        var found: [(id: Int32?, text: Substring)] = []
        var end = places.count - 1
        while end > 0 {
            let step = best[end]!
            let piece = text[places[step.from]..<places[end]]
            if step.id == nil, let last = found.last, last.id == nil {
                found[found.count - 1].text = text[places[step.from]..<last.text.endIndex]
            } else {
                found.append((step.id, piece))
            }
            end = step.from
        }
        return found.reversed()
    }
}
