import Foundation
import HearthFleet
import HearthIdentity
import Hummingbird
import Logging
import NIOSSL

/// Who asks, and whether that may: a node's certificate, a bearer token, or to look, in a browser, a session's cookie.
///
/// `/metrics` and `/healthz` are open: they are figures without job contents. Every refusal is logged, and every change.
struct AuthMiddleware: RouterMiddleware {
    typealias Context = CoordinatorContext

    let access: AccessSettings
    let bars: BarList

    /// nil: this coordinator has no certificates, and its token stands for nodes too.
    private var trustDomain: String? { access.authority?.trustDomain }

    func handle(
        _ request: Request, context: CoordinatorContext, next: (Request, CoordinatorContext) async throws -> Response
    ) async throws -> Response {
        let needed = Access(request.method, request.uri.path)
        if needed == .everyone { return try await next(request, context) }
        var context = context
        func refuse(_ status: HTTPResponse.Status, _ message: String) throws -> Response {
            let who = context.principal?.description ?? "nobody known"
            log(request, context, level: .warning, "refused", ["who": "\(who)", "why": "\(message)"])
            var response = try JSONBody.response(APIError(error: message), status: status)
            if status == .unauthorized { response.headers[.wwwAuthenticate] = "Bearer" }
            return response
        }
        let certificate = await certificate(context)
        guard let principal = principal(of: request, certificate) else {
            // Somebody who looks at a page is asked who they are.
            if request.method == .get, request.headers[.accept]?.contains("text/html") == true {
                return Response(status: .seeOther, headers: [.location: "/login"])
            }
            return try refuse(.unauthorized, "a bearer token or a node's certificate is needed")
        }
        context.principal = principal
        if let problem = needed.problem(principal, hasCertificates: trustDomain != nil) {
            return try refuse(.forbidden, problem)
        }
        context.keyDigest = certificate?.keyDigest
        if let node = principal.node ?? needed.node, let problem = bars.problem(node, key: context.keyDigest) {
            return try refuse(.forbidden, problem)
        }
        let response = try await next(request, context)
        if case .role = needed, request.method != .get {
            log(
                request, context, level: .info, "changed", ["who": "\(principal)", "status": "\(response.status.code)"])
        }
        return response
    }

    private func log(
        _ request: Request, _ context: CoordinatorContext, level: Logger.Level, _ message: Logger.Message,
        _ metadata: Logger.Metadata
    ) {
        let place: Logger.Metadata = [
            "audit": "\(request.method) \(request.uri.path.prefix(200))",
            "from": "\(context.channel.remoteAddress?.description ?? "?")",
        ]
        context.logger.log(level: level, message, metadata: place.merging(metadata) { $1 })
    }

    private func principal(of request: Request, _ certificate: PeerCertificate?) -> Principal? {
        if let identity = certificate?.identity { return .node(identity.name) }
        let header = request.headers[.authorization].flatMap { $0.hasPrefix("Bearer ") ? $0.dropFirst(7) : nil }
        if let given = header ?? request.uri.queryParameters["token"] { return Self.principal(token: given, access) }
        guard request.method == .get, let session = Self.session(request) else { return nil }
        return access.sessions.principal(session)
    }

    /// A node's, of this connection. TLS has held it against the authority when it began; it may have expired since.
    private func certificate(_ context: CoordinatorContext) async -> PeerCertificate? {
        guard let trustDomain, let presented = try? await context.channel.nioSSL_peerCertificate().get(),
            let certificate = (try? presented.toDERBytes()).flatMap({ PeerCertificate(der: $0) }),
            certificate.isValid(at: Date()),
            let identity = certificate.identity, identity.kind == .node, identity.trustDomain == trustDomain
        else { return nil }
        return certificate
    }

    static func session(_ request: Request) -> Substring? {
        let cookies = request.headers[.cookie]?.split(separator: ";").map { $0.drop { $0 == " " } } ?? []
        return cookies.first { $0.hasPrefix("hearth=") }?.dropFirst(7)
    }

    /// Whose token it is; nil where it is nobody's.
    static func principal(token: some StringProtocol, _ access: AccessSettings) -> Principal? {
        // Takes the same time wherever the first difference is.
        let (a, b) = (Array(token.utf8), Array(access.token.utf8))
        let isLocal = a.count == b.count && zip(a, b).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
        return isLocal ? .local : access.users.principal(token: token)
    }
}
