extension Tokenizer {
    /// The tokenizer that a GGUF file carries.
    ///
    /// - Throws: `FormatError` naming the key and its byte when the family is another or the lists do not fit.
    public init(_ gguf: GGUFFile) throws(FormatError) {
        let prefix = "tokenizer.ggml."
        let model = try gguf.string(prefix + "model")
        guard model == "gpt2" || model == "llama" else {
            throw gguf.error(
                prefix + "model",
                "tokenizer family '\(model)' is not supported, only gpt2 (byte-level BPE) and llama (SentencePiece)")
        }
        let tokens = try gguf.strings(prefix + "tokens")
        guard !tokens.isEmpty, tokens.count <= Int(Int32.max) else {
            throw gguf.error(prefix + "tokens", "\(tokens.count) tokens")
        }
        let kinds = try Self.kinds(gguf, key: prefix + "token_type", count: tokens.count)
        let ids = Dictionary(zip(tokens, Int32(0)...), uniquingKeysWith: { first, _ in first })
        let method =
            model == "gpt2"
            ? try Self.bytePairs(gguf, prefix, ids) : try Self.sentencePiece(gguf, prefix, tokens, kinds)
        self.init(
            tokens: tokens, ids: ids, kinds: kinds, method: method,
            bosID: try Self.tokenID(gguf, prefix + "bos_token_id", tokens.count),
            eosID: try Self.tokenID(gguf, prefix + "eos_token_id", tokens.count),
            // What llama.cpp does where the file says nothing.
            addsBOS: try gguf.bool(prefix + "add_bos_token", default: model == "llama" || Self.startsWithBOS(gguf)))
    }

    private static func startsWithBOS(_ gguf: GGUFFile) -> Bool {
        PreTokenizer.llama3Names.contains((try? gguf.string("tokenizer.ggml.pre")) ?? "")
    }

    private static func bytePairs(
        _ gguf: GGUFFile, _ prefix: String, _ ids: [String: Int32]
    ) throws(FormatError) -> Method {
        let name = try gguf.string(prefix + "pre")
        guard let rule = PreTokenizer(name: name) else {
            let known = PreTokenizer.supportedNames.joined(separator: ", ")
            throw gguf.error(prefix + "pre", "pre-tokenizer '\(name)' is not supported; known: \(known)")
        }
        let lines = try gguf.strings(prefix + "merges")
        do throws(MergeTable.MergeError) {
            return .bytePairs(rule, try MergeTable(tokens: ids, lines: lines))
        } catch {
            throw gguf.error(prefix + "merges", "merge \(error.index): \(error.reason)")
        }
    }

    private static func sentencePiece(
        _ gguf: GGUFFile, _ prefix: String, _ tokens: [String], _ kinds: [TokenKind]
    ) throws(FormatError) -> Method {
        guard case .floats(let scores)? = gguf.metadata[prefix + "scores"], scores.count == tokens.count,
            !scores.contains(where: \.isNaN)
        else { throw gguf.error(prefix + "scores", "expected a number for each of \(tokens.count) tokens") }
        var bytes = [Int32?](repeating: nil, count: 256)
        for (id, kind) in kinds.enumerated() where kind == .byte {
            guard let byte = Self.byte(named: tokens[id]) else {
                throw gguf.error(prefix + "tokens", "token \(id), '\(tokens[id].prefix(20))', is no byte")
            }
            bytes[Int(byte)] = Int32(id)
        }
        return .sentencePiece(
            SentencePiece(
                tokens: tokens, scores: scores, bytes: bytes,
                addsSpacePrefix: try gguf.bool(prefix + "add_space_prefix", default: true)))
    }

    private static func kinds(_ gguf: GGUFFile, key: String, count: Int) throws(FormatError) -> [TokenKind] {
        guard gguf.metadata[key] != nil else { return [TokenKind](repeating: .normal, count: count) }
        let numbers = try gguf.integers(key)
        guard numbers.count == count else { throw gguf.error(key, "\(numbers.count) types for \(count) tokens") }
        var kinds: [TokenKind] = []
        for (index, number) in numbers.enumerated() {
            guard let kind = TokenKind(rawValue: number) else {
                throw gguf.error(key, "token \(index) has type \(number)")
            }
            kinds.append(kind)
        }
        return kinds
    }

    private static func tokenID(_ gguf: GGUFFile, _ key: String, _ count: Int) throws(FormatError) -> Int32? {
        guard gguf.metadata[key] != nil else { return nil }
        let id = try gguf.integer(key)
        guard id < count else { throw gguf.error(key, "token \(id) of a vocabulary of \(count)") }
        return Int32(id)
    }
}
