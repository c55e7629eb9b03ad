import HearthFormats
import HearthInference

/// The body of `/v1/chat/completions`.
struct ChatRequest: Decodable {
    let sampling: SamplingFields
    let messages: [Message]
    let logprobs: Bool?
    let topLogprobs: Int?

    struct Message: Decodable {
        let role: String
        let content: String

        private struct Part: Decodable {
            let type: String
            let text: String?
        }
        private enum CodingKeys: String, CodingKey { case role, content }

        init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            role = try fields.decode(String.self, forKey: .role)
            if let text = try? fields.decode(String.self, forKey: .content) {
                content = text
                return
            }
            content = try fields.decode([Part].self, forKey: .content).map { part in
                guard part.type == "text", let text = part.text else {
                    throw APIError(
                        .badRequest, "messages: content of type '\(part.type.prefix(40))' is not supported, only text",
                        param: "messages")
                }
                return text
            }.joined()
        }
    }

    private struct Ignored: Decodable { init(from decoder: any Decoder) {} }

    private enum CodingKeys: String, CodingKey {
        case messages, logprobs, tools, functions
        case topLogprobs = "top_logprobs"
    }

    init(from decoder: any Decoder) throws {
        sampling = try SamplingFields(from: decoder)
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        messages = try fields.decode([Message].self, forKey: .messages)
        logprobs = try fields.decodeIfPresent(Bool.self, forKey: .logprobs)
        topLogprobs = try fields.decodeIfPresent(Int.self, forKey: .topLogprobs)
        for key in [CodingKeys.tools, .functions]
        where try fields.decodeIfPresent([Ignored].self, forKey: key)?.isEmpty == false {
            throw APIError(.badRequest, "\(key.rawValue): calling tools is not supported", param: key.rawValue)
        }
        guard !messages.isEmpty else { throw APIError(.badRequest, "messages: empty", param: "messages") }
        if let topLogprobs, !(0...20).contains(topLogprobs) {
            throw APIError(.badRequest, "top_logprobs: \(topLogprobs) is not in 0...20", param: "top_logprobs")
        }
    }

    func engineRequests(_ language: LanguageModel, client: String, seed: UInt64?) throws -> [EngineRequest] {
        let prompt: [Int32]
        do {
            prompt = try language.chatPrompt(messages.map { .init(role: $0.role, content: $0.content) })
        } catch let error as ChatTemplateError {
            throw APIError(.badRequest, "messages: \(error)", param: "messages")
        } catch is FormatError {
            throw APIError(.badRequest, "the model has no chat template: use /v1/completions", param: "messages")
        }
        return try sampling.requests(
            prompts: [prompt], context: language.contextLength,
            logProbabilities: logprobs == true ? topLogprobs ?? 0 : nil, client: client, seed: seed)
    }
}

/// The body of `/v1/completions`.
struct CompletionRequest: Decodable {
    let sampling: SamplingFields
    let prompt: TextInput
    let logprobs: Int?
    let echo: Bool?

    private enum CodingKeys: String, CodingKey { case prompt, logprobs, echo }

    init(from decoder: any Decoder) throws {
        sampling = try SamplingFields(from: decoder)
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        prompt = try fields.decode(TextInput.self, forKey: .prompt)
        logprobs = try fields.decodeIfPresent(Int.self, forKey: .logprobs)
        echo = try fields.decodeIfPresent(Bool.self, forKey: .echo)
        if echo == true { throw APIError(.badRequest, "echo: is not supported", param: "echo") }
        if let logprobs, !(0...20).contains(logprobs) {
            throw APIError(.badRequest, "logprobs: \(logprobs) is not in 0...20", param: "logprobs")
        }
    }

    func engineRequests(_ language: LanguageModel, client: String, seed: UInt64?) throws -> [EngineRequest] {
        return try sampling.requests(
            prompts: prompt.tokens(language), context: language.contextLength, logProbabilities: logprobs,
            client: client, seed: seed)
    }
}
