import HearthFleet
import Hummingbird
import NIOCore

/// Pages and machine-readable descriptions of the service itself.
struct SiteRoutes {
    let store: CoordinatorStore
    /// Whether browsers come by TLS.
    let isSecure: Bool

    func add(to router: Router<CoordinatorContext>) {
        router.get("/healthz") { _, _ in
            _ = try await store.jobCounts()
            return Self.text("ok\n")
        }
        router.get("/metrics") { _, _ in
            Self.text(
                CoordinatorMetrics.text(
                    nodes: try await store.nodes(), jobs: try await store.jobCounts(),
                    reports: try await store.reportCount()),
                type: "text/plain; version=0.0.4")
        }
        router.get("/openapi.yaml") { _, _ in Self.text(OpenAPI.document, type: "application/yaml") }
        router.get("/") { request, _ in
            // It was good, or nobody had come this far: from here on the cookie says it.
            if let token = request.uri.queryParameters["token"], token.utf8.allSatisfy(Self.isPlain) {
                let attributes = "HttpOnly; SameSite=Strict; Path=/" + (isSecure ? "; Secure" : "")
                return Response(
                    status: .seeOther, headers: [.location: "/", .setCookie: "hearth=\(token); \(attributes)"])
            }
            let page = try DashboardPage(
                nodes: try await store.nodes(), jobs: try await store.jobs(), history: try await store.ceilingHistory())
            return Self.text(page.html, type: "text/html; charset=utf-8")
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }

    static func text(_ body: String, type: String = "text/plain; charset=utf-8") -> Response {
        Response(
            status: .ok, headers: [.contentType: type, .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: body)))
    }
}
