import Foundation
import GRDB
import HearthFleet
import Hummingbird

/// Gives every failure the body `{"error": "..."}` and the status that fits.
struct ErrorMiddleware<Context: RequestContext>: RouterMiddleware {
    func handle(_ request: Request, context: Context, next: (Request, Context) async throws -> Response) async throws
        -> Response
    {
        do {
            return try await next(request, context)
        } catch let error as StoreError {
            let status: HTTPResponse.Status = error.kind == .notFound ? .notFound : .conflict
            return try JSONBody.response(APIError(error: error.message), status: status)
        } catch let error as DatabaseError {
            // Nothing was committed: the client still has what it sent and may send it again.
            context.logger.error("database", metadata: ["error": "\(error)"])
            let message = "the coordinator cannot store this now: \(error.message ?? "database error")"
            return try JSONBody.response(APIError(error: message), status: .serviceUnavailable)
        } catch let error as HTTPError {
            let message = error.body ?? (error.status == .notFound ? "no such path" : error.status.reasonPhrase)
            return try JSONBody.response(APIError(error: message), status: error.status)
        } catch let error as any HTTPResponseError {
            return try JSONBody.response(APIError(error: error.status.reasonPhrase), status: error.status)
        }
    }
}

/// The bearer token, or for browsers the cookie that `/?token=...` sets. `/metrics` and `/healthz` are open: they are
/// figures without job contents, and the listener is on loopback.
struct AuthMiddleware<Context: RequestContext>: RouterMiddleware {
    let token: String
    static var open: Set<String> { ["/metrics", "/healthz"] }

    func handle(_ request: Request, context: Context, next: (Request, Context) async throws -> Response) async throws
        -> Response
    {
        if Self.open.contains(request.uri.path) || isAuthorised(request) { return try await next(request, context) }
        var response = try JSONBody.response(
            APIError(error: "a bearer token is needed: see the coordinator's token file"), status: .unauthorized)
        response.headers[.wwwAuthenticate] = "Bearer"
        return response
    }

    private func isAuthorised(_ request: Request) -> Bool {
        if let header = request.headers[.authorization] { return matches(header, "Bearer \(token)") }
        if let query = request.uri.queryParameters["token"] { return matches(String(query), token) }
        let cookies = request.headers[.cookie]?.split(separator: ";") ?? []
        return cookies.contains { matches($0.drop { $0 == " " }, "hearth=\(token)") }
    }

    /// Takes the same time wherever the first difference is.
    private func matches(_ given: some StringProtocol, _ expected: String) -> Bool {
        let (a, b) = (Array(given.utf8), Array(expected.utf8))
        return a.count == b.count && zip(a, b).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
