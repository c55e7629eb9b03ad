/// How text is cut into words before byte-pair merges, by the name in `tokenizer.ggml.pre`.
public enum PreTokenizer: Sendable, Hashable {
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
    case gpt2
    /// Digits alone, then GPT-2's rule within each piece (SmolLM, StarCoder, Refact, Command-R).
    case singleDigitsThenGPT2

    public init?(name: String) {
        switch name {
        case "gpt-2", "gpt2": self = .gpt2
        case "smollm", "starcoder", "refact", "command-r": self = .singleDigitsThenGPT2
        default: return nil
        }
    }

    public static let supportedNames = ["gpt-2", "smollm", "starcoder", "refact", "command-r"]

    /// The words of `text` in order; joined they are `text`.
    func words(of text: String) -> [String] {
        let scalars = Array(text.unicodeScalars)
        switch self {
        case .gpt2: return Self.gpt2Words(scalars[...])
        case .singleDigitsThenGPT2:
            var words: [String] = []
            var start = 0
            for (index, scalar) in scalars.enumerated() where CharacterClass(scalar) == .number {
                words += Self.gpt2Words(scalars[start..<index])
                words.append(Self.string(scalars[index...index]))
                start = index + 1
            }
            return words + Self.gpt2Words(scalars[start...])
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

    private static let contractions = ["s", "t", "re", "ve", "m", "ll", "d"].map { Array($0.unicodeScalars) }

    private static func gpt2Words(_ text: ArraySlice<Unicode.Scalar>) -> [String] {
        var words: [String] = []
        var at = text.startIndex
        while at < text.endIndex {
            let end = wordEnd(text, at)
            words.append(string(text[at..<end]))
            at = end
        }
        return words
    }

    /// Where the word that begins at `at` ends.
    private static func wordEnd(_ text: ArraySlice<Unicode.Scalar>, _ at: Int) -> Int {
        if text[at] == "'", let match = contractions.first(where: { text[(at + 1)...].starts(with: $0) }) {
            return at + 1 + match.count
        }
        let first = text[at] == " " && at + 1 < text.endIndex ? at + 1 : at
        let kind = CharacterClass(text[first])
        if kind != .whitespace { return run(text, first, kind) }
        let end = run(text, at, .whitespace)
        // White space before a word leaves its last character to that word.
        return end < text.endIndex && end - at > 1 ? end - 1 : end
    }

    private static func run(_ text: ArraySlice<Unicode.Scalar>, _ start: Int, _ kind: CharacterClass) -> Int {
        var end = start
        while end < text.endIndex, CharacterClass(text[end]) == kind { end += 1 }
        return end
    }

    private static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }
}
