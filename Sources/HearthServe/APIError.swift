import Hummingbird
import NIOCore

/// A refusal in OpenAI's form: `{"error": {"message", "type", "param", "code"}}`.
struct APIError: Error, HTTPResponseError {
    struct Body: Encodable {
        let message, type: String
        let param, code: String?
    }

    let status: HTTPResponse.Status
    let body: Body
    var headers: HTTPFields = [:]

    init(
        _ status: HTTPResponse.Status, _ message: String, param: String? = nil, code: String? = nil,
        retryAfterSeconds: Int? = nil
    ) {
        self.status = status
        let type =
            switch status {
            case .unauthorized: "authentication_error"
            case .tooManyRequests: "rate_limit_error"
            default: status.code < 500 ? "invalid_request_error" : "server_error"
            }
        body = Body(message: message, type: type, param: param, code: code)
        if let retryAfterSeconds { headers[.retryAfter] = String(retryAfterSeconds) }
        if status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
    }

    func response(from request: Request, context: some RequestContext) throws -> Response { try response() }

    func response() throws -> Response {
        var response = try JSONBody.response(["error": body], status: status)
        for field in headers { response.headers[field.name] = field.value }
        return response
    }
}

/// Every failure in that form, with the status that fits.
struct ErrorMiddleware<Context: RequestContext>: RouterMiddleware {
    func handle(_ request: Request, context: Context, next: (Request, Context) async throws -> Response) async throws
        -> Response
    {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            return try error.response(from: request, context: context)
        } catch let error as HTTPError {
            let message = error.body ?? (error.status == .notFound ? "no such path" : error.status.reasonPhrase)
            return try APIError(error.status, message).response(from: request, context: context)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            context.logger.error("request failed", metadata: ["error": "\(error)"])
            return try APIError(.internalServerError, "the server failed; its log says why")
                .response(from: request, context: context)
        }
    }
}
