import Foundation
import HTTPTypes
import HearthInference
import Hummingbird
import NIOCore

/// Chat and text completions, whole or as server-sent events.
struct CompletionRoutes: Sendable {
    let server: InferenceServer

    func add(to router: Router<ServeContext>) {
        router.post("/v1/chat/completions") { request, context in
            try await answer(request, context, .chat) { buffer in
                let body = try JSONBody.decode(ChatRequest.self, from: buffer)
                return (body.sampling, try body.engineRequest(server.language, client: context.client))
            }
        }
        router.post("/v1/completions") { request, context in
            try await answer(request, context, .text) { buffer in
                let body = try JSONBody.decode(CompletionRequest.self, from: buffer)
                return (body.sampling, try body.engineRequest(server.language, client: context.client))
            }
        }
    }

    private func answer(
        _ request: Request, _ context: ServeContext, _ form: CompletionForm,
        parse: @Sendable (ByteBuffer) throws -> (SamplingFields, EngineRequest)
    ) async throws -> Response {
        var request = request
        let (fields, asked) = try parse(try await server.collectBody(of: &request))
        try server.checkModel(fields.model)
        let events: AsyncStream<EngineEvent>
        do {
            events = try server.engine.submit(asked)
        } catch {
            throw APIError(rejection: error)
        }
        let writer = CompletionWriter(form: form, server: server)
        if fields.isStreamed { return writer.streamed(events, reportsUsage: fields.reportsUsage) }
        // Nothing is written before the end: that the client has gone is seen from what it sends, and who listens for that
        // cannot take the connection's next request.
        var response = try await request.body.consumeWithCancellationOnInboundClose { _ in
            try await writer.whole(events)
        }
        response.headers[.connection] = "close"
        return response
    }
}

extension APIError {
    init(rejection: EngineRejection) {
        switch rejection.reason {
        case .invalid:
            let isTooLong = rejection.description.contains("exceed the context")
            self.init(.badRequest, rejection.description, code: isTooLong ? "context_length_exceeded" : nil)
        case .busy(let seconds): self.init(.tooManyRequests, rejection.description, retryAfterSeconds: seconds)
        case .stopping: self.init(.serviceUnavailable, rejection.description, retryAfterSeconds: 10)
        }
    }
}

/// The two shapes of the same answer.
enum CompletionForm {
    case chat, text

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
}

/// Turns the engine's events into one answer's bytes.
struct CompletionWriter: Sendable {
    let form: CompletionForm
    let server: InferenceServer
    private let id: String
    private let created = Int(Date().timeIntervalSince1970)

    init(form: CompletionForm, server: InferenceServer) {
        (self.form, self.server) = (form, server)
        id = form.idPrefix + UUID().uuidString.lowercased().filter { $0 != "-" }
    }

    private func response(
        _ choices: [CompletionResponse.Choice], isStreamed: Bool, usage: CompletionResponse.Usage? = nil
    ) -> CompletionResponse {
        CompletionResponse(
            id: id, object: form.object(isStreamed: isStreamed), model: server.modelName,
            systemFingerprint: server.fingerprint, created: created, choices: choices, usage: usage)
    }

    func whole(_ events: AsyncStream<EngineEvent>) async throws -> Response {
        var text = ""
        var entries: [LogProbabilities.ChatEntry] = []
        for await event in events {
            switch event {
            case .token(let token):
                text += token.text
                if let entry = LogProbabilities.entry(token, server.language) { entries.append(entry) }
            case .finished(let finish):
                if finish.reason == .failed {
                    throw APIError(.internalServerError, finish.problem ?? "the pass failed")
                }
                var choice = CompletionResponse.Choice()
                choice.finishReason = finish.reason.rawValue
                choice.logprobs = form.logProbabilities(entries)
                switch form {
                case .chat: choice.message = .init(role: "assistant", content: text + finish.text)
                case .text: choice.text = text + finish.text
                }
                return try JSONBody.response(response([choice], isStreamed: false, usage: .init(finish)))
            }
        }
        throw APIError(.internalServerError, "the answer was cancelled")
    }

    /// A chunk a token, then the reason, the usage if asked for, and `[DONE]`. A client that hangs up ends the answer.
    func streamed(_ events: AsyncStream<EngineEvent>, reportsUsage: Bool) -> Response {
        @Sendable func line(_ value: some Encodable) throws -> ByteBuffer {
            var buffer = ByteBuffer(string: "data: ")
            buffer.writeBytes(try JSONBody.data(value))
            buffer.writeString("\n\n")
            return buffer
        }
        @Sendable func chunk(_ text: String?, role: String? = nil, reason: String? = nil) -> CompletionResponse.Choice {
            var choice = CompletionResponse.Choice()
            switch form {
            case .chat: choice.delta = .init(role: role, content: text)
            case .text: choice.text = text ?? ""
            }
            choice.finishReason = reason
            return choice
        }
        let body = ResponseBody { writer in
            // Nothing goes out before there is an answer: clients take the first chunk for the first token.
            var needsRole = form == .chat
            for await event in events {
                if needsRole {
                    try await writer.write(line(response([chunk("", role: "assistant")], isStreamed: true)))
                    needsRole = false
                }
                switch event {
                case .token(let token):
                    var choice = chunk(token.text)
                    let entry = LogProbabilities.entry(token, server.language)
                    if token.text.isEmpty, entry == nil { continue }
                    choice.logprobs = form.logProbabilities(entry.map { [$0] } ?? [])
                    try await writer.write(line(response([choice], isStreamed: true)))
                case .finished(let finish):
                    if finish.reason == .failed {
                        let error = APIError(.internalServerError, finish.problem ?? "the pass failed")
                        try await writer.write(line(["error": error.body]))
                        continue
                    }
                    if !finish.text.isEmpty {
                        try await writer.write(line(response([chunk(finish.text)], isStreamed: true)))
                    }
                    try await writer.write(
                        line(response([chunk(nil, reason: finish.reason.rawValue)], isStreamed: true)))
                    if reportsUsage {
                        try await writer.write(line(response([], isStreamed: true, usage: .init(finish))))
                    }
                }
            }
            try await writer.write(ByteBuffer(string: "data: [DONE]\n\n"))
            try await writer.finish(nil)
        }
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-cache"], body: body)
    }
}
