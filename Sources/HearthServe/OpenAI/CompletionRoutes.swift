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
                return (body.sampling, try body.engineRequests(server.language, client: context.client))
            }
        }
        router.post("/v1/completions") { request, context in
            try await answer(request, context, .text) { buffer in
                let body = try JSONBody.decode(CompletionRequest.self, from: buffer)
                return (body.sampling, try body.engineRequests(server.language, client: context.client))
            }
        }
    }

    private func answer(
        _ request: Request, _ context: ServeContext, _ form: CompletionForm,
        parse: @Sendable (ByteBuffer) throws -> (SamplingFields, [EngineRequest])
    ) async throws -> Response {
        var request = request
        let body = try await server.collectBody(of: &request)
        let (fields, asked) = try parse(body)
        try server.checkModel(fields.model)
        let grammar = try fields.format.grammar(body, server.language)
        let events: [AsyncStream<EngineEvent>]
        do throws(EngineRejection) {
            events = try asked.map { request throws(EngineRejection) in
                var request = request
                (request.grammar, request.arrivesWhole) = (grammar, !fields.isStreamed)
                return try server.engine.submit(request)
            }
        } catch {
            throw APIError(rejection: error)
        }
        let writer = CompletionWriter(form: form, server: server)
        if fields.isStreamed { return writer.streamed(events, answersEach: fields.n ?? 1, fields.reportsUsage) }
        // Nothing is written before the end: that the client has gone is seen from what it sends, and who listens for that
        // cannot take the connection's next request.
        var response = try await request.body.consumeWithCancellationOnInboundClose { _ in
            try await writer.whole(events, answersEach: fields.n ?? 1)
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

    /// nil for an answer that came to its end.
    init?(_ finish: EngineEvent.Finish) {
        switch finish.reason {
        case .stop, .length: return nil
        case .failed: self.init(.internalServerError, finish.problem ?? "the pass failed")
        case .refused: self.init(.badRequest, finish.problem ?? "the request cannot be served")
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

    /// - Parameter answersEach: how many answers in a row are to the same prompt, which counts once.
    func whole(_ answers: [AsyncStream<EngineEvent>], answersEach: Int) async throws -> Response {
        var choices: [CompletionResponse.Choice] = []
        var usage = CompletionResponse.Usage()
        for (index, events) in answers.enumerated() {
            var text = ""
            var entries: [LogProbabilities.ChatEntry] = []
            for await event in events {
                switch event {
                case .token(let token):
                    text += token.text
                    if let entry = LogProbabilities.entry(token, server.language) { entries.append(entry) }
                case .embedding: break
                case .finished(let finish):
                    if let error = APIError(finish) { throw error }
                    var choice = CompletionResponse.Choice(index: index)
                    choice.finishReason = finish.reason.rawValue
                    choice.logprobs = form.logProbabilities(entries)
                    switch form {
                    case .chat: choice.message = .init(role: "assistant", content: text + finish.text)
                    case .text: choice.text = text + finish.text
                    }
                    choices.append(choice)
                    usage.add(finish, countsPrompt: index % answersEach == 0)
                }
            }
        }
        guard choices.count == answers.count else { throw APIError(.internalServerError, "the answer was cancelled") }
        return try JSONBody.response(response(choices, isStreamed: false, usage: usage))
    }

    /// A chunk a token, then the reason; after all answers the usage if asked for, and `[DONE]`. A client that hangs up ends the
    /// answers.
    func streamed(_ answers: [AsyncStream<EngineEvent>], answersEach: Int, _ reportsUsage: Bool) -> Response {
        let body = ResponseBody { writer in
            @Sendable func line(_ value: some Encodable) throws -> ByteBuffer {
                var buffer = ByteBuffer(string: "data: ")
                buffer.writeBytes(try JSONBody.data(value))
                buffer.writeString("\n\n")
                return buffer
            }
            // Nothing goes out before there is an answer: clients take the first chunk for the first token.
            var needsRole = Array(repeating: form == .chat, count: answers.count)
            var usage = CompletionResponse.Usage()
            for await (index, event) in merged(answers) {
                var choices: [CompletionResponse.Choice] = []
                if needsRole[index] {
                    choices.append(chunk(index, "", role: "assistant"))
                    needsRole[index] = false
                }
                switch event {
                case .token(let token):
                    var choice = chunk(index, token.text)
                    let entry = LogProbabilities.entry(token, server.language)
                    choice.logprobs = form.logProbabilities(entry.map { [$0] } ?? [])
                    if !token.text.isEmpty || entry != nil { choices.append(choice) }
                case .embedding: break
                case .finished(let finish):
                    if let error = APIError(finish) {
                        try await writer.write(line(["error": error.body]))
                        continue
                    }
                    if !finish.text.isEmpty { choices.append(chunk(index, finish.text)) }
                    choices.append(chunk(index, nil, reason: finish.reason.rawValue))
                    usage.add(finish, countsPrompt: index % answersEach == 0)
                }
                for choice in choices { try await writer.write(line(response([choice], isStreamed: true))) }
            }
            if reportsUsage { try await writer.write(line(response([], isStreamed: true, usage: usage))) }
            try await writer.write(ByteBuffer(string: "data: [DONE]\n\n"))
            try await writer.finish(nil)
        }
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-cache"], body: body)
    }

    private func chunk(
        _ index: Int, _ text: String?, role: String? = nil, reason: String? = nil
    ) -> CompletionResponse.Choice {
        var choice = CompletionResponse.Choice(index: index)
        switch form {
        case .chat: choice.delta = .init(role: role, content: text)
        case .text: choice.text = text ?? ""
        }
        choice.finishReason = reason
        return choice
    }

    /// The events of all answers as they come, each with the answer's number. Dropping it drops them.
    private func merged(_ answers: [AsyncStream<EngineEvent>]) -> AsyncStream<(index: Int, event: EngineEvent)> {
        if answers.count == 1 {
            var iterator = answers[0].makeAsyncIterator()
            return AsyncStream { await iterator.next().map { (0, $0) } }
        }
        return AsyncStream { continuation in
            let reading = Task {
                await withTaskGroup(of: Void.self) { group in
                    for (index, events) in answers.enumerated() {
                        group.addTask { for await event in events { continuation.yield((index, event)) } }
                    }
                }
                continuation.finish()
            }
            continuation.onTermination = { _ in reading.cancel() }
        }
    }
}
