extension BPETokenizer {
    /// The tokenizer that a GGUF file carries.
    ///
    /// - Throws: `FormatError` naming the key and its byte when the family is another or the lists do not fit.
    public init(_ gguf: GGUFFile) throws(FormatError) {
        let prefix = "tokenizer.ggml."
        let model = try gguf.string(prefix + "model")
        guard model == "gpt2" else {
            throw gguf.error(
                prefix + "model", "tokenizer family '\(model)' is not supported, only gpt2 (byte-level BPE)")
        }
        let name = try gguf.string(prefix + "pre")
        guard let rule = PreTokenizer(name: name) else {
            let known = PreTokenizer.supportedNames.joined(separator: ", ")
            throw gguf.error(prefix + "pre", "pre-tokenizer '\(name)' is not supported; known: \(known)")
        }
        let tokens = try gguf.strings(prefix + "tokens")
        guard !tokens.isEmpty, tokens.count <= Int(Int32.max) else {
            throw gguf.error(prefix + "tokens", "\(tokens.count) tokens")
        }
        let kinds = try Self.kinds(gguf, key: prefix + "token_type", count: tokens.count)
        let lines = try gguf.strings(prefix + "merges")
        let ids = Dictionary(zip(tokens, Int32(0)...), uniquingKeysWith: { first, _ in first })
        let merges: MergeTable
        do throws(MergeTable.MergeError) {
            merges = try MergeTable(tokens: ids, lines: lines)
        } catch {
            throw gguf.error(prefix + "merges", "merge \(error.index): \(error.reason)")
        }
        self.init(
            tokens: tokens, kinds: kinds, merges: merges, preTokenizer: rule,
            bosID: try Self.tokenID(gguf, prefix + "bos_token_id", tokens.count),
            eosID: try Self.tokenID(gguf, prefix + "eos_token_id", tokens.count),
            addsBOS: try gguf.bool(prefix + "add_bos_token", default: false))
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
