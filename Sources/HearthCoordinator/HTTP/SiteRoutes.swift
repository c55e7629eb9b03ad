import HearthFleet
import Hummingbird
import NIOCore

/// Pages and machine-readable descriptions of the service itself.
struct SiteRoutes {
    let store: CoordinatorStore

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
        router.get("/job-spec.schema.json") { _, _ in
            Self.text(JobSpecSchema.json, type: "application/schema+json")
        }
        router.get("/openapi.yaml") { _, _ in Self.text(OpenAPI.document, type: "application/yaml") }
    }

    static func text(_ body: String, type: String = "text/plain; charset=utf-8") -> Response {
        Response(
            status: .ok, headers: [.contentType: type, .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: body)))
    }
}
