import HeapModule

/// The merges of a byte-pair vocabulary and the loop that applies them.
struct MergeTable: Sendable {
    private struct Merge {
        let rank: Int
        let result: Int32
    }
    /// Symbols are numbered here on their own: a merge may pass through text that is no token.
    private let merges: [UInt64: Merge]
    private let tokenIDs: [Int32?]
    private let byteSymbols: [Int32]
    private let byteTokens: [Int32?]
    private let texts: [String]
    private let symbols: [ExactString: Int32]
    private let wholeWords: [ExactString: Int32]

    /// - Parameter lines: "left right", in order of precedence.
    /// - Throws: the index and reason of a line that is no merge.
    init(tokens: [ExactString: Int32], lines: [String]) throws(MergeError) {
        var pairs: [(String, String)] = []
        pairs.reserveCapacity(lines.count)
        for (rank, line) in lines.enumerated() {
            // The second part may itself hold no blank, the first neither: the alphabet has none.
            let parts = line.split(separator: " ", omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
                throw MergeError(index: rank, reason: "'\(line.prefix(40))' is not two parts with a blank between")
            }
            pairs.append((String(parts[0]), String(parts[1])))
        }
        self.init(tokens: tokens, pairs: pairs)
    }

    /// - Parameter pairs: in order of precedence.
    init(tokens: [ExactString: Int32], pairs: [(String, String)]) {
        var symbols: [ExactString: Int32] = [:]
        var texts: [String] = []
        func symbol(_ text: String) -> Int32 {
            if let known = symbols[ExactString(text)] { return known }
            let number = Int32(texts.count)
            symbols[ExactString(text)] = number
            texts.append(text)
            return number
        }
        let bytes = ByteAlphabet.scalars.map { String(Character($0)) }
        byteSymbols = bytes.map(symbol)
        byteTokens = bytes.map { tokens[ExactString($0)] }
        var merges: [UInt64: Merge] = [:]
        merges.reserveCapacity(pairs.count)
        for (rank, (left, right)) in pairs.enumerated() {
            let key = Self.key(symbol(left), symbol(right))
            if merges[key] == nil { merges[key] = Merge(rank: rank, result: symbol(left + right)) }
        }
        self.merges = merges
        self.texts = texts
        self.symbols = symbols
        wholeWords = tokens
        tokenIDs = texts.map { tokens[ExactString($0)] }
    }

    struct MergeError: Error {
        let index: Int
        let reason: String
    }

    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    private struct Candidate: Comparable {
        let rank: Int
        let left: Int
        let right: Int
        let result: Int32
        /// The pair this was made for: it is stale once either side has changed.
        let pair: UInt64
        static func < (a: Candidate, b: Candidate) -> Bool { (a.rank, a.left) < (b.rank, b.left) }
        static func == (a: Candidate, b: Candidate) -> Bool { (a.rank, a.left) == (b.rank, b.left) }
    }

    /// Appends the tokens of one word. Time grows as n log n with the word's length.
    ///
    /// - Parameter takesWhole: a word that is a token is that token, whatever the merges make of it.
    func encode(_ word: [UInt8], takesWhole: Bool = false, into ids: inout [Int32]) {
        if takesWhole {
            let text = String(word.map { Character(ByteAlphabet.scalars[Int($0)]) })
            if let id = wholeWords[ExactString(text)] { return ids.append(id) }
        }
        for symbol in joined(word.map { byteSymbols[Int($0)] }) { append(symbol, into: &ids) }
    }

    /// The tokens of `text`, whose symbols are characters, nil for a character that is none.
    func split(_ text: String) -> [(id: Int32?, text: Substring)] {
        var pieces: [(id: Int32?, text: Substring)] = []
        var run: [Int32] = []
        func endRun() {
            for symbol in joined(run) { pieces.append((tokenIDs[Int(symbol)], texts[Int(symbol)][...])) }
            run = []
        }
        for scalar in text.unicodeScalars {
            let character = ExactString(String(scalar))
            if let symbol = symbols[character], tokenIDs[Int(symbol)] != nil {
                run.append(symbol)
            } else {
                endRun()
                pieces.append((wholeWords[character], character.text[...]))
            }
        }
        endRun()
        return pieces
    }

    /// What remains of `symbols` when all merges are done.
    private func joined(_ symbols: [Int32]) -> [Int32] {
        var symbols = symbols
        var previous = Array(-1..<symbols.count - 1)
        var next = Array(1..<symbols.count + 1)
        var isAlive = [Bool](repeating: true, count: symbols.count)
        var heap = Heap<Candidate>()
        func consider(_ left: Int, _ right: Int) {
            guard left >= 0, right < symbols.count else { return }
            let pair = Self.key(symbols[left], symbols[right])
            guard let merge = merges[pair] else { return }
            heap.insert(Candidate(rank: merge.rank, left: left, right: right, result: merge.result, pair: pair))
        }
        for index in symbols.indices.dropLast() { consider(index, index + 1) }
        while let best = heap.popMin() {
            guard isAlive[best.left], isAlive[best.right], next[best.left] == best.right,
                Self.key(symbols[best.left], symbols[best.right]) == best.pair
            else { continue }
            symbols[best.left] = best.result
            isAlive[best.right] = false
            next[best.left] = next[best.right]
            if next[best.left] < symbols.count { previous[next[best.left]] = best.left }
            consider(previous[best.left], best.left)
            consider(best.left, next[best.left])
        }
        return symbols.indices.filter { isAlive[$0] }.map { symbols[$0] }
    }

    /// A symbol that is no token is written byte by byte; bytes that are no token are left out, as in llama.cpp.
    private func append(_ symbol: Int32, into ids: inout [Int32]) {
        if let id = tokenIDs[Int(symbol)] {
            ids.append(id)
        } else {
            ids += (ByteAlphabet.bytes(of: texts[Int(symbol)]) ?? []).compactMap { byteTokens[Int($0)] }
        }
    }
}
