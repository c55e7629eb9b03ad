/// SentencePiece's way with text: blanks are written `U+2581`, a model splits it into pieces, and what is no piece is written byte
/// by byte.
struct SentencePiece: Sendable {
    /// What splits text.
    enum Model: Sendable {
        case scoredPairs(ScoredPairs)
        /// The merges of a tokenizer.json.
        case merges(MergeTable)
        case unigram(Unigram)
    }
    /// Where a blank is put in front: of every stretch between special tokens, of the text, nowhere.
    enum Prefix: Sendable { case every, first, none }

    let model: Model
    /// The tokens that stand for single bytes.
    var bytes = [Int32?](repeating: nil, count: 256)
    /// What stands for characters that nothing else stands for; nil: nothing does.
    var unknownID: Int32?
    /// One token stands for several of them in a row.
    var fusesUnknown = true
    var prefix = Prefix.every
    /// A text that begins with a blank gets none.
    var prefixesOnlyWords = false
    /// No piece reaches over a blank.
    var splitsAtBlanks = false

    private static let blank: Unicode.Scalar = "\u{2581}"

    /// Appends the tokens of a stretch of text between special tokens, each of which begins anew.
    func encode(_ text: String, isFirst: Bool, into ids: inout [Int32]) {
        var marked = String.UnicodeScalarView()
        let hasOwn = text.unicodeScalars.first.map { $0 == " " || $0 == Self.blank } ?? false
        if prefix == .every || prefix == .first && isFirst, !(prefixesOnlyWords && hasOwn) { marked.append(Self.blank) }
        for scalar in text.unicodeScalars { marked.append(scalar == " " ? Self.blank : scalar) }
        for word in words(marked) { encodeWord(word, into: &ids) }
    }

    private func words(_ text: String.UnicodeScalarView) -> [String] {
        guard splitsAtBlanks else { return [String(text)] }
        var words: [String] = []
        for scalar in text {
            if words.isEmpty || scalar == Self.blank { words.append("") }
            words[words.count - 1].unicodeScalars.append(scalar)
        }
        return words
    }

    private func encodeWord(_ text: String, into ids: inout [Int32]) {
        switch model {
        case .scoredPairs(let pairs): for piece in pairs.split(text) { append(piece, into: &ids) }
        case .unigram(let unigram): for piece in unigram.split(text) { append(piece, into: &ids) }
        case .merges(let table):
            var wasUnknown = false
            for piece in table.split(text) {
                let isUnknown = piece.id == nil && spelling(piece.text) == nil
                if !(isUnknown && wasUnknown && fusesUnknown) { append(piece, into: &ids) }
                wasUnknown = isUnknown
            }
        }
    }

    /// The tokens of a text's bytes, if there are all of them.
    private func spelling(_ text: Substring) -> [Int32]? {
        let spelt = text.utf8.compactMap { bytes[Int($0)] }
        return spelt.count == text.utf8.count ? spelt : nil
    }

    private func append(_ piece: (id: Int32?, text: Substring), into ids: inout [Int32]) {
        if let id = piece.id {
            ids.append(id)
        } else if let spelt = spelling(piece.text) {
            ids += spelt
        } else if let unknownID {
            ids.append(unknownID)
        }
    }
}
