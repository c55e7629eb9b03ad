import HearthJSON

extension Tokenizer {
    /// The tokenizer of a tokenizer.json: byte-level BPE, BPE over characters or unigram.
    ///
    /// - Parameters:
    ///   - vocabularySize: rows of the model's embedding: tokens beyond them are left out, rows beyond the tokens are unused.
    ///   - options: what tokenizer_config.json adds.
    /// - Throws: `FormatError` naming the part of the file that is malformed or asks for what is not supported.
    init(json file: String, vocabularySize: Int, options: JSONOptions) throws {
        let json = try TokenizerJSON(file: file)
        let pipeline = try json.pipeline()
        guard let model = json.root["model"] else { throw json.error("model", "is missing") }
        var entries = Entries(vocabularySize: vocabularySize)
        // Models of old had no type.
        let type = model["type"]?.string ?? (model["merges"] == nil ? "" : "BPE")
        switch type {
        case "BPE": try entries.addVocabulary(of: model, json)
        case "Unigram": try entries.addPieces(of: model, json)
        default: throw json.error("model.type", "'\(type.prefix(40))' is not supported, only BPE and Unigram")
        }
        try entries.addUnknown(of: model, json)
        try entries.addAddedTokens(json)
        let method: Method
        if type == "BPE", pipeline.isByteLevel {
            let rule = PreTokenizer(stages: pipeline.stages, takesWholeWords: model["ignore_merges"] == .bool(true))
            method = .bytePairs(rule, try entries.merges(of: model, json))
        } else {
            guard pipeline.stages.isEmpty else {
                throw json.error("pre_tokenizer", "expressions are supported before bytes only")
            }
            let pieces: SentencePiece.Model =
                type == "BPE"
                ? .merges(try entries.merges(of: model, json))
                : .unigram(Unigram(pieces: entries.pieces, scores: entries.scores))
            method = .sentencePiece(
                SentencePiece(
                    model: pieces, bytes: entries.bytes, unknownID: entries.unknownID,
                    fusesUnknown: type == "Unigram" || model["fuse_unk"] == .bool(true), prefix: pipeline.prefix,
                    prefixesOnlyWords: pipeline.prefixesOnlyWords, splitsAtBlanks: pipeline.splitsAtBlanks))
        }
        let first = try json.firstToken()
        if let first, entries.ids[ExactString(first)] == nil {
            throw json.error("post_processor", "'\(first.prefix(40))' is not in the vocabulary")
        }
        let begins = options.addsBOS ?? (first != nil)
        self.init(
            tokens: entries.tokens, ids: entries.ids, kinds: entries.kinds, method: method,
            bosID: (first ?? options.bosToken).flatMap { entries.ids[ExactString($0)] },
            eosID: options.eosToken.flatMap { entries.ids[ExactString($0)] }, addsBOS: begins,
            normalisation: pipeline.normalisation)
        if begins, bosID == nil { throw json.error("post_processor", "texts begin with a token that is not known") }
    }

    /// What a folder's tokenizer_config.json says.
    struct JSONOptions {
        /// What templates call so.
        var bosToken, eosToken: String?
        /// nil: tokenizer.json says it.
        var addsBOS: Bool?

        /// - Throws: `FormatError` for a token after every text, which is not supported.
        init(_ config: HuggingFaceConfig?) throws(FormatError) {
            guard let config else { return }
            // `"</s>"`, or an object with it as `content`.
            func token(_ key: String) -> String? { config[key].flatMap { $0.string ?? $0["content"]?.string } }
            (bosToken, eosToken) = (token("bos_token"), token("eos_token"))
            // The classes that put their flags in the place of what tokenizer.json says.
            let name = config["tokenizer_class"]?.string ?? ""
            guard name.hasPrefix("LlamaTokenizer") || name.hasPrefix("GemmaTokenizer") else { return }
            if try config.bool("add_eos_token", default: false) {
                throw config.error("add_eos_token", "true is not supported")
            }
            if config["add_bos_token"] != nil { addsBOS = try config.bool("add_bos_token", default: true) }
        }
    }

    /// The vocabulary as it is put together.
    private struct Entries {
        var tokens: [String]
        var kinds: [TokenKind]
        var ids: [ExactString: Int32] = [:]
        var bytes = [Int32?](repeating: nil, count: 256)
        var unknownID: Int32?
        /// Of a unigram model.
        var pieces: [ExactString: Int32] = [:]
        var scores: [Double] = []

        init(vocabularySize: Int) {
            tokens = Array(repeating: "", count: vocabularySize)
            kinds = Array(repeating: .unused, count: vocabularySize)
        }

        private mutating func add(_ text: String, _ id: Int, _ kind: TokenKind) {
            guard tokens.indices.contains(id) else { return }
            tokens[id] = text
            kinds[id] = kind
            ids[ExactString(text)] = Int32(id)
        }

        mutating func addVocabulary(of model: JSONValue, _ json: TokenizerJSON) throws(FormatError) {
            guard let members = model["vocab"]?.members, !members.isEmpty else {
                throw json.error("model.vocab", "is not an object of tokens")
            }
            for key in ["dropout", "continuing_subword_prefix", "end_of_word_suffix"] {
                guard let value = model[key], value != .null, value.string != "" else { continue }
                throw json.error("model.\(key)", "\(value.text.prefix(40)) is not supported")
            }
            ids.reserveCapacity(members.count)
            for member in members {
                guard let id = member.value.integer, id >= 0 else {
                    throw json.error("model.vocab", "'\(member.key.prefix(40))' has no number")
                }
                add(member.key, id, .normal)
            }
            try addBytes(model)
        }

        mutating func addPieces(of model: JSONValue, _ json: TokenizerJSON) throws(FormatError) {
            guard let list = model["vocab"]?.array, !list.isEmpty else {
                throw json.error("model.vocab", "is not a list of pieces")
            }
            for (id, pair) in list.enumerated() {
                guard let pair = pair.array, pair.count == 2, let text = pair[0].string, let score = pair[1].double
                else { throw json.error("model.vocab[\(id)]", "is not a piece and its score") }
                add(text, id, .normal)
                scores.append(score)
            }
            try addBytes(model)
            pieces = ids.filter { kinds[Int($0.value)] == .normal }
        }

        private mutating func addBytes(_ model: JSONValue) throws(FormatError) {
            guard model["byte_fallback"] == .bool(true) else { return }
            for byte in 0..<256 {
                let digits = String(byte, radix: 16, uppercase: true)
                guard let id = ids[ExactString("<0x\(digits.count == 1 ? "0" : "")\(digits)>")] else { continue }
                bytes[byte] = id
                kinds[Int(id)] = .byte
            }
        }

        mutating func addUnknown(of model: JSONValue, _ json: TokenizerJSON) throws(FormatError) {
            unknownID = model["unk_token"]?.string.flatMap { ids[ExactString($0)] }
            if let id = model["unk_id"]?.integer, tokens.indices.contains(id) { unknownID = Int32(id) }
            guard let unknownID else { return }
            kinds[Int(unknownID)] = .unknown
            pieces[ExactString(tokens[Int(unknownID)])] = nil
        }

        mutating func addAddedTokens(_ json: TokenizerJSON) throws(FormatError) {
            for (index, token) in (json.root["added_tokens"]?.array ?? []).enumerated() {
                guard let text = token["content"]?.string, !text.isEmpty, let id = token["id"]?.integer, id >= 0 else {
                    throw json.error("added_tokens[\(index)]", "has no content or no id")
                }
                for key in ["single_word", "lstrip", "rstrip"] where token[key] == .bool(true) {
                    throw json.error("added_tokens[\(index)].\(key)", "is not supported")
                }
                add(text, id, token["special"] == .bool(true) ? .control : .userDefined)
                pieces[ExactString(text)] = nil
            }
        }

        func merges(of model: JSONValue, _ json: TokenizerJSON) throws(FormatError) -> MergeTable {
            guard let list = model["merges"]?.array else { throw json.error("model.merges", "is not a list") }
            var pairs: [(String, String)] = []
            pairs.reserveCapacity(list.count)
            for (index, merge) in list.enumerated() {
                // By scalars: an accent after the blank is no part of it.
                let parts =
                    merge.array?.compactMap(\.string)
                    ?? merge.string?.unicodeScalars.split(separator: " ").map { String($0) }
                guard let parts, parts.count == 2 else {
                    throw json.error("model.merges[\(index)]", "\(merge.text.prefix(60)) is not two parts")
                }
                pairs.append((parts[0], parts[1]))
            }
            return MergeTable(tokens: ids, pairs: pairs)
        }
    }
}
