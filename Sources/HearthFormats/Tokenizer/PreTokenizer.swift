/// How text is cut into words before byte-pair merges, by the name in `tokenizer.ggml.pre`: stages, each of which cuts what the
/// ones before it left whole.
///
/// - Source: the expressions in the families' tokenizer.json files, as llama.cpp adapts them.
public struct PreTokenizer: Sendable {
    /// One expression. What it does not match stays together between the matches.
    enum Stage: Sendable {
        /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
        case gpt2
        /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
        case tiktoken(digits: Int)
        /// Each character of a class alone.
        case each(CharacterSet)
        /// Characters of a class, as many as there are, with one white space before them where the flag says so.
        case runs(CharacterSet, afterSpace: Bool)
        /// `[0-9][0-9][0-9]`
        case threeDigits
        /// Any other.
        case expression(SplitExpression)
    }

    /// `\p{N}`, `[\r\n]`, `\p{L}`, `\p{P}`, `[\p{P}$+<=>^~|\x60]`, `[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]`
    enum CharacterSet: Sendable, Hashable { case numbers, lineEnds, letters, punctuation, falconSymbols, eastAsian }

    let stages: [Stage]
    /// Whether a word that is a token as it stands is taken as one, whatever its merges (`ignore_merges` in tokenizer.json).
    let takesWholeWords: Bool

    /// Llama 3's family, whose texts also begin with a token of their own.
    static let llama3Names = ["llama-bpe", "llama3", "llama-v3"]

    private static let rules: [(names: [String], stages: [Stage], takesWholeWords: Bool)] = [
        (["gpt-2", "gpt2", "mpt", "olmo", "jais"], [.gpt2], false),
        (["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone"], [.each(.numbers), .gpt2], false),
        (llama3Names, [.tiktoken(digits: 3)], true),
        (["dbrx", "smaug-bpe"], [.tiktoken(digits: 3)], false),
        (["qwen2", "stablelm2"], [.tiktoken(digits: 1)], false),
        (["falcon"], [.runs(.falconSymbols, afterSpace: false), .gpt2, .threeDigits], false),
        (
            ["deepseek-coder"],
            [
                .each(.lineEnds), .runs(.letters, afterSpace: true), .runs(.punctuation, afterSpace: true),
                .runs(.eastAsian, afterSpace: false), .each(.numbers),
            ], false
        ),
    ]

    init(stages: [Stage], takesWholeWords: Bool) { (self.stages, self.takesWholeWords) = (stages, takesWholeWords) }

    public init?(name: String) {
        guard let rule = Self.rules.first(where: { $0.names.contains(name) }) else { return nil }
        stages = rule.stages
        takesWholeWords = rule.takesWholeWords
    }

    public static let supportedNames = rules.flatMap(\.names)

    /// The words of `text` in order; joined they are `text`.
    func words(of text: String) -> [String] {
        let scalars = Array(text.unicodeScalars)
        var pieces = scalars.isEmpty ? [] : [scalars[...]]
        for stage in stages { pieces = pieces.flatMap { stage.pieces(of: $0) } }
        return pieces.map(String.init(scalars:))
    }
}

extension PreTokenizer.Stage {
    fileprivate typealias Text = ArraySlice<Unicode.Scalar>

    /// Matches and what lies between them.
    fileprivate func pieces(of text: Text) -> [Text] {
        if case .expression(let expression) = self { return expression.pieces(of: text) }
        var pieces: [Text] = []
        var (start, at) = (text.startIndex, text.startIndex)
        while at < text.endIndex {
            guard let end = match(text, at) else {
                at += 1
                continue
            }
            if start < at { pieces.append(text[start..<at]) }
            pieces.append(text[at..<end])
            (start, at) = (end, end)
        }
        if start < text.endIndex { pieces.append(text[start...]) }
        return pieces
    }

    /// Where the match that begins at `at` ends.
    private func match(_ text: Text, _ at: Int) -> Int? {
        switch self {
        case .gpt2: return Self.gpt2Word(text, at)
        case .tiktoken(let digits): return Self.tiktokenWord(text, at, digits)
        case .each(let set): return set.contains(text[at]) ? at + 1 : nil
        case .runs(let set, let afterSpace):
            let first = afterSpace && text[at].properties.isWhitespace ? at + 1 : at
            let end = Self.run(text, first) { set.contains($0) }
            return end > first ? end : nil
        case .threeDigits:
            let end = at + 3
            return end <= text.endIndex && text[at..<end].allSatisfy { ("0"..."9").contains($0) } ? end : nil
        case .expression: return nil
        }
    }

    private static let contractions = ["s", "t", "re", "ve", "m", "ll", "d"].map { Array($0.unicodeScalars) }

    private static func contraction(_ text: Text, _ at: Int, ignoresCase: Bool) -> Int? {
        guard text[at] == "'" else { return nil }
        let match = contractions.first { letters in
            let found = text[(at + 1)...].prefix(letters.count)
            return found.count == letters.count
                && zip(found, letters).allSatisfy { $0 == $1 || ignoresCase && $0.value == $1.value - 32 }
        }
        return match.map { at + 1 + $0.count }
    }

    private static func gpt2Word(_ text: Text, _ at: Int) -> Int {
        if let end = contraction(text, at, ignoresCase: false) { return end }
        let first = text[at] == " " && at + 1 < text.endIndex ? at + 1 : at
        let kind = CharacterClass(text[first])
        return kind == .whitespace ? spaces(text, at) : run(text, first) { CharacterClass($0) == kind }
    }

    private static func tiktokenWord(_ text: Text, _ at: Int, _ digits: Int) -> Int {
        if let end = contraction(text, at, ignoresCase: true) { return end }
        let kind = CharacterClass(text[at])
        let next = at + 1 < text.endIndex ? CharacterClass(text[at + 1]) : nil
        if kind == .letter || (kind != .number && !isLineEnd(text[at]) && next == .letter) {
            return run(text, at + 1) { CharacterClass($0) == .letter }
        }
        if kind == .number { return min(at + digits, run(text, at) { CharacterClass($0) == .number }) }
        if kind == .other || text[at] == " " && next == .other {
            return run(text, run(text, at + 1) { CharacterClass($0) == .other }, isLineEnd)
        }
        let end = run(text, at) { CharacterClass($0) == .whitespace }
        if let last = text[at..<end].lastIndex(where: isLineEnd) { return last + 1 }
        return spaces(text, at)
    }

    /// White space before a word leaves its last character to that word.
    private static func spaces(_ text: Text, _ at: Int) -> Int {
        let end = run(text, at) { CharacterClass($0) == .whitespace }
        return end < text.endIndex && end - at > 1 ? end - 1 : end
    }

    private static func isLineEnd(_ scalar: Unicode.Scalar) -> Bool { scalar == "\n" || scalar == "\r" }

    private static func run(_ text: Text, _ start: Int, _ belongs: (Unicode.Scalar) -> Bool) -> Int {
        var end = start
        while end < text.endIndex, belongs(text[end]) { end += 1 }
        return end
    }
}

extension String {
    init(scalars: some Sequence<Unicode.Scalar>) {
        var view = UnicodeScalarView()
        view.append(contentsOf: scalars)
        self.init(view)
    }
}

private enum CharacterClass {
    case letter, number, whitespace, other

    init(_ scalar: Unicode.Scalar) {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
        case .decimalNumber, .letterNumber, .otherNumber: self = .number
        default: self = scalar.properties.isWhitespace ? .whitespace : .other
        }
    }
}

extension PreTokenizer.CharacterSet {
    fileprivate func contains(_ scalar: Unicode.Scalar) -> Bool {
        switch self {
        case .numbers: CharacterClass(scalar) == .number
        case .letters: CharacterClass(scalar) == .letter
        case .lineEnds: scalar == "\n" || scalar == "\r"
        case .punctuation: Self.isPunctuation(scalar)
        case .falconSymbols: Self.isPunctuation(scalar) || "$+<=>^~|`".unicodeScalars.contains(scalar)
        case .eastAsian:
            (0x4E00...0x9FA5).contains(scalar.value) || (0x0800...0x4E00).contains(scalar.value)
                || (0xAC00...0xD7FF).contains(scalar.value)
        }
    }

    private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
            .finalPunctuation, .otherPunctuation:
            true
        default: false
        }
    }
}
