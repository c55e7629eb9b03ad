import HearthJSON

/// A tokenizer.json as Hugging Face's tokenizers library writes it.
///
/// - Source: that library's serialisation, version 1.0.
struct TokenizerJSON {
    let file: String
    let root: JSONValue

    /// What the pipeline before the model comes to.
    struct Pipeline {
        var normalisation = Tokenizer.Normalisation.none
        var stages: [PreTokenizer.Stage] = []
        var isByteLevel = false
        var marksBlanks = false
        var prefix = SentencePiece.Prefix.none
        var prefixesOnlyWords = false
        var splitsAtBlanks = false
    }

    init(file: String) throws {
        self.file = file
        root = try JSONFile.read(file, maximumByteCount: 256 << 20)
    }

    func error(_ key: String, _ problem: String) -> FormatError { FormatError(file: file, "\(key): \(problem)") }

    // MARK: Pipeline

    func pipeline() throws(FormatError) -> Pipeline {
        var pipeline = Pipeline()
        for part in steps("normalizer", list: "normalizers") { try addNormalizer(part, &pipeline) }
        for part in steps("pre_tokenizer", list: "pretokenizers") { try addPreTokenizer(part, &pipeline) }
        guard pipeline.isByteLevel != pipeline.marksBlanks else {
            throw error(
                "pre_tokenizer", "only text in bytes (ByteLevel) or with marked blanks (Metaspace) is supported")
        }
        return pipeline
    }

    /// A step, or those of a sequence.
    private func steps(_ key: String, list: String) -> [JSONValue] {
        func flat(_ value: JSONValue?) -> [JSONValue] {
            guard let value, value != .null else { return [] }
            return value["type"]?.string == "Sequence" ? (value[list]?.array ?? []).flatMap(flat) : [value]
        }
        return flat(root[key])
    }

    private func addNormalizer(_ step: JSONValue, _ pipeline: inout Pipeline) throws(FormatError) {
        // Text is normalised once, before anything else.
        let isFirst = pipeline.normalisation == .none && !pipeline.marksBlanks && pipeline.prefix == .none
        switch step["type"]?.string {
        case "NFC" where isFirst: pipeline.normalisation = .nfc
        case "NFKC" where isFirst: pipeline.normalisation = .nfkc
        case "Prepend" where step["prepend"]?.string == "\u{2581}": pipeline.prefix = .every
        case "Replace" where step["pattern"]?["String"]?.string == " " && step["content"]?.string == "\u{2581}":
            pipeline.marksBlanks = true
        default: throw error("normalizer", "\(step.text.prefix(120)) is not supported")
        }
    }

    private func addPreTokenizer(_ step: JSONValue, _ pipeline: inout Pipeline) throws(FormatError) {
        let refusal = error("pre_tokenizer", "\(step.text.prefix(200)) is not supported")
        // Words are cut before they are bytes.
        if pipeline.isByteLevel { throw refusal }
        switch step["type"]?.string {
        case "ByteLevel":
            if step["add_prefix_space"] == .bool(true) { throw refusal }
            if step["use_regex"] != .bool(false) { pipeline.stages.append(.gpt2) }
            pipeline.isByteLevel = true
        case "Digits":
            pipeline.stages.append(try stage(step["individual_digits"] == .bool(true) ? #"\p{N}"# : #"\p{N}+"#))
        case "Split":
            // Blanks are marked already, or what lies between the matches is nothing.
            if pipeline.marksBlanks, step["pattern"]?["String"]?.string == " " { return }
            let isWhole = step["behavior"]?.string == "Removed" && step["invert"] == .bool(true)
            guard isWhole || step["behavior"]?.string == "Isolated" && step["invert"] != .bool(true),
                let pattern = step["pattern"]?["Regex"]?.string
            else { throw refusal }
            pipeline.stages.append(try stage(pattern, dropsGaps: isWhole))
        case "Metaspace" where step["replacement"]?.string == "\u{2581}":
            pipeline.marksBlanks = true
            switch step["prepend_scheme"]?.string ?? (step["add_prefix_space"] == .bool(false) ? "never" : "always") {
            case "always": pipeline.prefix = .every
            case "first": pipeline.prefix = .first
            case "never": pipeline.prefix = .none
            default: throw refusal
            }
            pipeline.prefixesOnlyWords = true
            pipeline.splitsAtBlanks = step["split"] != .bool(false)
        default: throw refusal
        }
    }

    /// - Parameter dropsGaps: what no match covers is left out of the text.
    private func stage(_ pattern: String, dropsGaps: Bool = false) throws(FormatError) -> PreTokenizer.Stage {
        // Line ends as the expression's own escapes. By scalars: both together are one character.
        let written = pattern.unicodeScalars.map { $0 == "\r" ? #"\r"# : $0 == "\n" ? #"\n"# : String($0) }.joined()
        if let known = Self.known[written], !dropsGaps || known.coversAll { return known }
        do {
            return .expression(try SplitExpression(pattern, dropsGaps: dropsGaps))
        } catch {
            throw self.error("pre_tokenizer", "the expression \(pattern.prefix(200)) cannot be used: \(error)")
        }
    }

    /// Expressions that there is code for.
    static let known: [String: PreTokenizer.Stage] = [
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#: .gpt2,
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#:
            .tiktoken(digits: 3),
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#:
            .tiktoken(digits: 1),
        #"\p{N}"#: .each(.numbers),
    ]

    // MARK: What is put around a text

    /// The token that a text begins with.
    func firstToken() throws(FormatError) -> String? {
        var first: String?
        for processor in steps("post_processor", list: "processors") {
            let type = processor["type"]?.string ?? ""
            // Which bytes a token came from is nothing here.
            if type == "ByteLevel" { continue }
            guard type == "TemplateProcessing", first == nil else {
                throw error("post_processor", "'\(type.prefix(40))' is not supported, only TemplateProcessing")
            }
            let parts = processor["single"]?.array ?? []
            let text = parts.firstIndex { $0["Sequence"] != nil } ?? parts.count
            let added = parts.compactMap { $0["SpecialToken"]?["id"]?.string }
            guard text <= 1, added.count == text else {
                throw error(
                    "post_processor", "a text with \(added) around it is not supported, only with one before it")
            }
            first = added.first
        }
        return first
    }
}

extension PreTokenizer.Stage {
    /// Whether every character is in some match.
    fileprivate var coversAll: Bool {
        switch self {
        case .gpt2, .tiktoken: true
        default: false
        }
    }
}
