import Foundation
import HTTPTypes
import HearthInference
import Hummingbird
import NIOCore

/// Chat and text completions, whole or as server-sent events.
struct CompletionRoutes: Sendable {
    let server: InferenceServer

    func add(to router: Router<ServeContext>) {
        for form in [CompletionForm.chat, .text] {
            router.post(RouterPath(form.path)) { request, context in try await answer(request, context, form) }
        }
    }

    private func answer(_ request: Request, _ context: ServeContext, _ form: CompletionForm) async throws -> Response {
        var request = request
        let body = try await server.collectBody(of: &request)
        let (fields, requests) = try form.requests(body, server.model, client: context.client)
        let events = try server.model.submit(requests)
        let writer = CompletionWriter(form: form, model: server.model)
        if fields.isStreamed { return writer.streamed(events, answersEach: fields.n ?? 1, fields.reportsUsage) }
        return try await InferenceServer.watching(request) {
            try JSONBody.response(try await writer.whole(events, answersEach: fields.n ?? 1))
        }
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
