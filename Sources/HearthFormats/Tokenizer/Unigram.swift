/// SentencePiece's unigram model: of all ways to write a text in pieces, the one whose scores add up to most.
///
/// - Source: Kudo, arXiv 1804.10959.
struct Unigram: Sendable {
    private let pieces: [ExactString: Int32]
    private let scores: [Double]
    /// Characters of the longest piece.
    private let longest: Int
    /// What a character that is no piece costs.
    private let unknownScore: Double

    init(pieces: [ExactString: Int32], scores: [Double]) {
        (self.pieces, self.scores) = (pieces, scores)
        longest = pieces.keys.map(\.text.unicodeScalars.count).max() ?? 0
        unknownScore = (pieces.values.map { scores[Int($0)] }.min() ?? 0) - 10
    }

    /// The pieces of `text` in order, nil for a run of characters that are none. Time grows with the text times the longest
    /// piece.
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
            for end in start + 1...max(start + 1, min(start + longest, places.count - 1)) {
                guard let id = pieces[ExactString(String(text[places[start]..<places[end]]))] else { continue }
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
