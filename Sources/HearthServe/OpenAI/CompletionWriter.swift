import Foundation
import HTTPTypes
import HearthInference
import Hummingbird
import NIOCore

/// Turns the engine's events into one answer's bytes.
struct CompletionWriter: Sendable {
    let form: CompletionForm
    let model: ServedModel
    private let id: String
    private let created = Int(Date().timeIntervalSince1970)

    init(form: CompletionForm, model: ServedModel) {
        (self.form, self.model) = (form, model)
        id = form.idPrefix + UUID().uuidString.lowercased().filter { $0 != "-" }
    }

    private func response(
        _ choices: [CompletionResponse.Choice], isStreamed: Bool, usage: CompletionResponse.Usage? = nil
    ) -> CompletionResponse {
        CompletionResponse(
            id: id, object: form.object(isStreamed: isStreamed), model: model.name,
            systemFingerprint: model.fingerprint, created: created, choices: choices, usage: usage)
    }

    /// - Parameter answersEach: how many answers in a row are to the same prompt, which counts once.
    func whole(_ answers: [AsyncStream<EngineEvent>], answersEach: Int) async throws -> CompletionResponse {
        var choices: [CompletionResponse.Choice] = []
        var usage = CompletionResponse.Usage()
        for (index, events) in answers.enumerated() {
            var text = ""
            var entries: [LogProbabilities.ChatEntry] = []
            for await event in events {
                switch event {
                case .token(let token):
                    text += token.text
                    if let entry = LogProbabilities.entry(token, model.language) { entries.append(entry) }
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
        return response(choices, isStreamed: false, usage: usage)
    }

    /// A chunk a token, then the reason; after all answers the usage if asked for, and `[DONE]`. A client that hangs up ends the
    /// answers.
    func streamed(_ answers: [AsyncStream<EngineEvent>], answersEach: Int, _ reportsUsage: Bool) -> Response {
        let body = ResponseBody { writer in
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
                    let entry = LogProbabilities.entry(token, model.language)
                    choice.logprobs = form.logProbabilities(entry.map { [$0] } ?? [])
                    if !token.text.isEmpty || entry != nil { choices.append(choice) }
                case .embedding: break
                case .finished(let finish):
                    if let error = APIError(finish) {
                        try await writer.write(Self.line(["error": error.body]))
                        continue
                    }
                    if !finish.text.isEmpty { choices.append(chunk(index, finish.text)) }
                    choices.append(chunk(index, nil, reason: finish.reason.rawValue))
                    usage.add(finish, countsPrompt: index % answersEach == 0)
                }
                for choice in choices { try await writer.write(Self.line(response([choice], isStreamed: true))) }
            }
            if reportsUsage { try await writer.write(Self.line(response([], isStreamed: true, usage: usage))) }
            try await writer.write(ByteBuffer(string: "data: [DONE]\n\n"))
            try await writer.finish(nil)
        }
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-cache"], body: body)
    }

    /// One event of the stream.
    private static func line(_ value: some Encodable) throws -> ByteBuffer {
        var buffer = ByteBuffer(string: "data: ")
        buffer.writeBytes(try JSONBody.data(value))
        buffer.writeString("\n\n")
        return buffer
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
        AsyncStream { continuation in
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
