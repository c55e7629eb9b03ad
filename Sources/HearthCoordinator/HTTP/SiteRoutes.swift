import HearthFleet
import Hummingbird
import NIOCore

/// Pages and machine-readable descriptions of the service itself.
struct SiteRoutes {
    let store: CoordinatorStore
    let token: String

    func add(to router: Router<BasicRequestContext>) {
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
            if request.uri.queryParameters["token"] != nil {
                return Response(
                    status: .seeOther,
                    headers: [.location: "/", .setCookie: "hearth=\(token); HttpOnly; SameSite=Strict; Path=/"])
            }
            let page = try DashboardPage(
                nodes: try await store.nodes(), jobs: try await store.jobs(), history: try await store.ceilingHistory())
            return Self.text(page.html, type: "text/html; charset=utf-8")
        }
    }

    private static func text(_ body: String, type: String = "text/plain; charset=utf-8") -> Response {
        Response(
            status: .ok, headers: [.contentType: type, .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: body)))
    }
}
