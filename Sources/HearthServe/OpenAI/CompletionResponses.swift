import HearthInference

/// What goes back for chat and text completions, whole or in chunks. `nil` fields are left out but for `finish_reason`.
struct CompletionResponse: Encodable {
    let id, object, model, systemFingerprint: String
    let created: Int
    let choices: [Choice]
    var usage: Usage?

    enum CodingKeys: String, CodingKey {
        case id, object, model, created, choices, usage
        case systemFingerprint = "system_fingerprint"
    }

    struct Choice: Encodable {
        let index: Int
        var text: String?
        var message, delta: Message?
        var logprobs: LogProbabilities?
        var finishReason: String?

        init(index: Int) { self.index = index }

        enum CodingKeys: String, CodingKey {
            case index, text, message, delta, logprobs
            case finishReason = "finish_reason"
        }

        func encode(to encoder: any Encoder) throws {
            var fields = encoder.container(keyedBy: CodingKeys.self)
            try fields.encode(index, forKey: .index)
            try fields.encodeIfPresent(text, forKey: .text)
            try fields.encodeIfPresent(message, forKey: .message)
            try fields.encodeIfPresent(delta, forKey: .delta)
            try fields.encode(logprobs, forKey: .logprobs)
            try fields.encode(finishReason, forKey: .finishReason)
        }
    }

    struct Message: Encodable {
        var role: String?
        var content: String?
    }

    struct Usage: Encodable {
        private(set) var promptTokens = 0
        private(set) var completionTokens = 0
        private(set) var totalTokens = 0
        private var details = Details()

        struct Details: Encodable {
            var cachedTokens = 0
            enum CodingKeys: String, CodingKey { case cachedTokens = "cached_tokens" }
        }

        enum CodingKeys: String, CodingKey {
            case promptTokens = "prompt_tokens"
            case completionTokens = "completion_tokens"
            case totalTokens = "total_tokens"
            case details = "prompt_tokens_details"
        }

        /// - Parameter countsPrompt: false for further answers to a prompt that is counted.
        mutating func add(_ finish: EngineEvent.Finish, countsPrompt: Bool) {
            if countsPrompt {
                promptTokens += finish.promptTokens
                details.cachedTokens += finish.cachedTokens
            }
            completionTokens += finish.completionTokens
            totalTokens = promptTokens + completionTokens
        }
    }
}

/// Log-probabilities in the form of chat or of text completions.
enum LogProbabilities: Encodable {
    case chat([ChatEntry])
    case text([ChatEntry])

    struct ChatEntry: Encodable {
        let token: String
        let logprob: Double
        let bytes: [UInt8]
        var top: [ChatEntry]?

        enum CodingKeys: String, CodingKey {
            case token, logprob, bytes
            case top = "top_logprobs"
        }
    }

    private enum CodingKeys: String, CodingKey {
        case content, tokens
        case tokenLogprobs = "token_logprobs"
        case topLogprobs = "top_logprobs"
        case textOffset = "text_offset"
    }

    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .chat(let entries): try fields.encode(entries, forKey: .content)
        case .text(let entries):
            try fields.encode(entries.map(\.token), forKey: .tokens)
            try fields.encode(entries.map(\.logprob), forKey: .tokenLogprobs)
            let tops = entries.map { entry in
                Dictionary((entry.top ?? []).map { ($0.token, $0.logprob) }, uniquingKeysWith: max)
            }
            try fields.encode(tops, forKey: .topLogprobs)
            var offset = 0
            let offsets = entries.map { entry in
                defer { offset += entry.token.count }
                return offset
            }
            try fields.encode(offsets, forKey: .textOffset)
        }
    }

    /// nil where none were asked for.
    static func entry(_ token: EngineEvent.Token, _ language: LanguageModel) -> ChatEntry? {
        guard let own = token.logProbability else { return nil }
        func entry(_ id: Int32, _ value: Double, _ top: [ChatEntry]?) -> ChatEntry {
            let bytes = language.tokenizer.bytes(of: id)
            // JSON has neither infinity nor what is no number.
            return ChatEntry(
                token: String(decoding: bytes, as: UTF8.self), logprob: value > -9999 ? value : -9999, bytes: bytes,
                top: top)
        }
        return entry(token.id, own, token.likeliest.map { entry($0.id, $0.logProbability, nil) })
    }
}
