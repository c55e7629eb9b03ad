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
            let status: HTTPResponse.Status =
                switch error.kind {
                case .notFound: .notFound
                case .conflict: .conflict
                case .busy: .serviceUnavailable
                }
            var response = try JSONBody.response(APIError(error: error.message), status: status)
            if error.kind == .busy { response.headers[.retryAfter] = "1" }
            return response
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
