import Foundation
import HearthFleet
import HearthPlacement
import Hummingbird
import NIOCore

/// The dashboard's pages.
struct PageRoutes {
    let store: CoordinatorStore
    let ledger: Ledger
    let access: AccessSettings

    private static let newestLeaves = 50

    func add(to router: Router<CoordinatorContext>) {
        router.get("/") { request, context in
            // It was good, or nobody had come this far: from here on the cookie says it.
            if request.uri.queryParameters["token"] != nil, let principal = context.principal {
                return session(principal)
            }
            return Self.page(
                try DashboardPage(
                    nodes: try await store.nodes(), jobs: try await store.jobs(),
                    history: try await store.ceilingHistory()
                ).html)
        }
        router.get("/login") { _, _ in Self.page(PageShell.login()) }
        router.post("/login") { request, context in
            let form = String(buffer: try await request.body.collect(upTo: 4096))
            let token = form.hasPrefix("token=") ? form.dropFirst(6).trimmingCharacters(in: .whitespaces) : ""
            guard let principal = AuthMiddleware.principal(token: token, access) else {
                context.logger.warning(
                    "refused",
                    metadata: ["audit": "login", "from": "\(context.channel.remoteAddress?.description ?? "?")"])
                return Self.page(PageShell.login(problem: "Nobody has that token."), status: .unauthorized)
            }
            context.logger.info("logged in", metadata: ["audit": "login", "who": "\(principal)"])
            return session(principal)
        }
        router.get("/logout") { request, _ in
            if let session = AuthMiddleware.session(request) { access.sessions.end(session) }
            return Response(
                status: .seeOther, headers: [.location: "/login", .setCookie: "hearth=; Max-Age=0; \(attributes)"])
        }
        router.get("/nodes/:node") { request, context in
            let name = try context.parameters.require("node")
            guard let node = try await store.nodes().first(where: { $0.node == name }) else {
                throw HTTPError(.notFound, message: "no node \(name.prefix(140))")
            }
            let history = try await store.ceilingHistory(of: name).map(\.ceilings)
            let span = try LoadSpan(request.uri.queryParameters["hours"].map(String.init))
            return Self.page(
                NodePage(
                    node, history: history,
                    loads: LoadCharts(loads: try await store.loads(of: name, over: span), span: span),
                    times: try await store.kernelTimes(of: name), jobs: try await store.jobs(on: name)
                ).html)
        }
        router.get("/jobs/:job") { _, context in
            let job = try await store.job(try context.parameters.require("job"))
            let placement = try? await store.placement(of: job.id)
            let leaves = try await store.leafNumbers(of: job.id)
            return Self.page(
                JobPage(job, placement: placement, leaves: leaves, currency: store.prices.currency).html)
        }
        router.get("/data") { _, _ in Self.page(DataPage.list(try store.labels.map { Array(try $0.all().values) })) }
        router.get("/data/:name") { _, context in
            Self.page(DataPage.one(try await store.places(of: try context.parameters.require("name"))))
        }
        router.get("/ledger") { _, _ in
            let note = try await ledger.checkpoint()
            let newest = try await store.newestLeaves(limit: Self.newestLeaves)
            return Self.page(LedgerPage.html(note, key: ledger.verifier, newest: newest))
        }
        router.get("/dashboard.js") { _, _ in SiteRoutes.text(DashboardScript.text, type: "text/javascript") }
    }

    private var attributes: String { "HttpOnly; SameSite=Strict; Path=/" + (access.authority == nil ? "" : "; Secure") }

    private func session(_ principal: Principal) -> Response {
        let id = access.sessions.begin(principal)
        return Response(status: .seeOther, headers: [.location: "/", .setCookie: "hearth=\(id); \(attributes)"])
    }

    private static func page(_ html: String, status: HTTPResponse.Status = .ok) -> Response {
        var response = SiteRoutes.text(html, type: "text/html; charset=utf-8")
        response.status = status
        response.headers[.contentSecurityPolicy] =
            "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; form-action 'self'; "
            + "base-uri 'none'; frame-ancestors 'none'"
        return response
    }
}
