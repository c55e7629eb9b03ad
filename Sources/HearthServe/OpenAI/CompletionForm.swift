import HearthInference
import NIOCore

/// The two shapes of the same answer.
enum CompletionForm {
    case chat, text

    var path: String { self == .chat ? "/v1/chat/completions" : "/v1/completions" }

    var idPrefix: String { self == .chat ? "chatcmpl-" : "cmpl-" }

    func object(isStreamed: Bool) -> String {
        switch self {
        case .chat: isStreamed ? "chat.completion.chunk" : "chat.completion"
        case .text: "text_completion"
        }
    }

    func logProbabilities(_ entries: [LogProbabilities.ChatEntry]) -> LogProbabilities? {
        if entries.isEmpty { return nil }
        return self == .chat ? .chat(entries) : .text(entries)
    }

    /// What `body` asks the engine for.
    ///
    /// - Parameter seed: for requests that name none; nil draws one.
    /// - Throws: `APIError`.
    func requests(
        _ body: ByteBuffer, _ model: ServedModel, client: String, seed: UInt64? = nil
    ) throws -> (SamplingFields, [EngineRequest]) {
        let fields: SamplingFields
        var requests: [EngineRequest]
        switch self {
        case .chat:
            let body = try JSONBody.decode(ChatRequest.self, from: body)
            fields = body.sampling
            requests = try body.engineRequests(model.language, client: client, seed: seed)
        case .text:
            let body = try JSONBody.decode(CompletionRequest.self, from: body)
            fields = body.sampling
            requests = try body.engineRequests(model.language, client: client, seed: seed)
        }
        try model.check(fields.model)
        let grammar = try fields.format.grammar(body, model.language)
        for index in requests.indices {
            (requests[index].grammar, requests[index].arrivesWhole) = (grammar, !fields.isStreamed)
        }
        return (fields, requests)
    }
}
