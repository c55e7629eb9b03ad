extension Tokenizer {
    /// The tokenizer that a GGUF file carries in its metadata.
    ///
    /// - Throws: `FormatError` naming the key and its byte when the family is another or the lists do not fit.
    public init(_ metadata: ModelMetadata) throws(FormatError) {
        let prefix = "tokenizer.ggml."
        let model = try metadata.string(prefix + "model")
        guard model == "gpt2" || model == "llama" else {
            throw metadata.error(
                prefix + "model",
                "tokenizer family '\(model)' is not supported, only gpt2 (byte-level BPE) and llama (SentencePiece)")
        }
        let tokens = try metadata.strings(prefix + "tokens")
        guard !tokens.isEmpty, tokens.count <= Int(Int32.max) else {
            throw metadata.error(prefix + "tokens", "\(tokens.count) tokens")
        }
        let kinds = try Self.kinds(metadata, key: prefix + "token_type", count: tokens.count)
        let ids = Dictionary(zip(tokens.map { ExactString($0) }, Int32(0)...), uniquingKeysWith: { first, _ in first })
        let method =
            model == "gpt2"
            ? try Self.bytePairs(metadata, prefix, ids) : try Self.sentencePiece(metadata, prefix, tokens, kinds)
        self.init(
            tokens: tokens, ids: ids, kinds: kinds, method: method,
            bosID: try Self.tokenID(metadata, prefix + "bos_token_id", tokens.count),
            eosID: try Self.tokenID(metadata, prefix + "eos_token_id", tokens.count),
            // What llama.cpp does where the file says nothing.
            addsBOS: try metadata.bool(
                prefix + "add_bos_token", default: model == "llama" || Self.startsWithBOS(metadata)))
    }

    private static func startsWithBOS(_ metadata: ModelMetadata) -> Bool {
        PreTokenizer.llama3Names.contains((try? metadata.string("tokenizer.ggml.pre")) ?? "")
    }

    private static func bytePairs(
        _ metadata: ModelMetadata, _ prefix: String, _ ids: [ExactString: Int32]
    ) throws(FormatError) -> Method {
        let name = try metadata.string(prefix + "pre")
        guard let rule = PreTokenizer(name: name) else {
            let known = PreTokenizer.supportedNames.joined(separator: ", ")
            throw metadata.error(prefix + "pre", "pre-tokenizer '\(name)' is not supported; known: \(known)")
        }
        let lines = try metadata.strings(prefix + "merges")
        do throws(MergeTable.MergeError) {
            return .bytePairs(rule, try MergeTable(tokens: ids, lines: lines))
        } catch {
            throw metadata.error(prefix + "merges", "merge \(error.index): \(error.reason)")
        }
    }

    private static func sentencePiece(
        _ metadata: ModelMetadata, _ prefix: String, _ tokens: [String], _ kinds: [TokenKind]
    ) throws(FormatError) -> Method {
        guard case .floats(let scores)? = metadata[prefix + "scores"], scores.count == tokens.count,
            !scores.contains(where: { $0.isNaN })
        else { throw metadata.error(prefix + "scores", "expected a number for each of \(tokens.count) tokens") }
        var bytes = [Int32?](repeating: nil, count: 256)
        for (id, kind) in kinds.enumerated() where kind == .byte {
            guard let byte = Self.byte(named: tokens[id]) else {
                throw metadata.error(prefix + "tokens", "token \(id), '\(tokens[id].prefix(20))', is no byte")
            }
            bytes[Int(byte)] = Int32(id)
        }
        return .sentencePiece(
            SentencePiece(
                model: .scoredPairs(ScoredPairs(tokens: tokens, scores: scores)), bytes: bytes,
                prefix: try metadata.bool(prefix + "add_space_prefix", default: true) ? .every : .none))
    }

    private static func kinds(_ metadata: ModelMetadata, key: String, count: Int) throws(FormatError) -> [TokenKind] {
        guard metadata[key] != nil else { return [TokenKind](repeating: .normal, count: count) }
        let numbers = try metadata.integers(key)
        guard numbers.count == count else { throw metadata.error(key, "\(numbers.count) types for \(count) tokens") }
        var kinds: [TokenKind] = []
        for (index, number) in numbers.enumerated() {
            guard let kind = TokenKind(rawValue: number) else {
                throw metadata.error(key, "token \(index) has type \(number)")
            }
            kinds.append(kind)
        }
        return kinds
    }

    private static func tokenID(_ metadata: ModelMetadata, _ key: String, _ count: Int) throws(FormatError) -> Int32? {
        guard metadata[key] != nil else { return nil }
        let id = try metadata.integer(key)
        guard id < count else { throw metadata.error(key, "token \(id) of a vocabulary of \(count)") }
        return Int32(id)
    }
}
