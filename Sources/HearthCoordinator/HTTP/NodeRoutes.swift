import HearthFleet
import HearthPolicy
import Hummingbird

/// What agents say and ask.
struct NodeRoutes {
    let store: CoordinatorStore

    func add(to router: Router<CoordinatorContext>) {
        router.get("/v1/nodes") { _, _ in try JSONBody.response(try await store.nodes()) }
        router.post("/v1/nodes") { request, context in
            let registration = try await JSONBody.decode(NodeRegistration.self, from: request)
            guard FleetName.isValid(registration.node), FleetName.isValid(registration.bootID) else {
                throw HTTPError(.badRequest, message: "node, bootID: 1 to 128 letters, digits, '.', '_' or '-'")
            }
            if case .node(let name) = context.principal, name != registration.node {
                context.logger.warning(
                    "refused", metadata: ["audit": "register", "who": "node \(name)", "as": "\(registration.node)"])
                throw HTTPError(.forbidden, message: "node \(name) cannot register as \(registration.node)")
            }
            try check(registration.node, context)
            if let site = registration.site {
                guard FleetName.isValid(site.name), site.country.utf8.count == 2 else {
                    throw HTTPError(.badRequest, message: "site: a name as node's, and a country of two letters")
                }
            }
            return try JSONBody.response(try await store.register(registration))
        }
        router.post("/v1/drains/:node") { request, context in
            let reason = try await Self.reason(from: request)
            try await store.drain(try context.parameters.require("node"), reason)
            return Response(status: .noContent)
        }
        router.delete("/v1/drains/:node") { _, context in
            try await store.drain(try context.parameters.require("node"), nil)
            return Response(status: .noContent)
        }
        router.post("/v1/bars/:node") { request, context in
            let reason = try await Self.reason(from: request)
            return try JSONBody.response(try await store.bar(try context.parameters.require("node"), reason))
        }
        router.delete("/v1/bars/:node") { _, context in
            try await store.unbar(try context.parameters.require("node"))
            return Response(status: .noContent)
        }
        router.post("/v1/nodes/:node/reports") { request, context in
            let node = try context.parameters.require("node")
            let batch = try await read(ReportBatch.self, from: request, context)
            guard batch.reports.count <= 10_000, batch.reports.allSatisfy({ $0.seq >= 1 }) else {
                throw HTTPError(.badRequest, message: "reports: at most 10000, seq from 1 up")
            }
            return try JSONBody.response(try await store.store(batch, from: node))
        }
        router.post("/v1/nodes/:node/loads") { request, context in
            let batch = try await read(LoadBatch.self, from: request, context)
            guard batch.samples.count <= 1000 else { throw HTTPError(.badRequest, message: "samples: at most 1000") }
            try await store.store(batch, from: try context.parameters.require("node"))
            return Response(status: .noContent)
        }
        router.get("/v1/nodes/:node/loads") { request, context in
            let span = try LoadSpan(request.uri.queryParameters["hours"].map(String.init))
            return try JSONBody.response(try await store.loads(of: try context.parameters.require("node"), over: span))
        }
        router.post("/v1/nodes/:node/poll") { request, context in
            let node = try context.parameters.require("node")
            let poll = try await read(PollRequest.self, from: request, context)
            guard (0...60).contains(poll.waitSeconds), (0...1000).contains(poll.capacity) else {
                throw HTTPError(.badRequest, message: "waitSeconds: 0 to 60; capacity: 0 to 1000")
            }
            guard poll.active?.count ?? 0 <= 1000 else { throw HTTPError(.badRequest, message: "active: at most 1000") }
            return try JSONBody.response(try await answer(poll, node, context))
        }
        router.post("/v1/nodes/:node/publications") { request, context in
            let node = try context.parameters.require("node")
            let wish = try await read(Publication.self, from: request, context)
            try await store.publish(wish.attempt, from: node)
            return Response(status: .noContent)
        }
        router.post("/v1/losses/:node") { _, context in
            try JSONBody.response(try await store.lose(try context.parameters.require("node")))
        }
    }

    /// An operator's, in the body.
    private static func reason(from request: Request) async throws -> String {
        let reason = try await JSONBody.decode(OperatorReason.self, from: request).reason
        guard (1...500).contains(reason.count) else {
            throw HTTPError(.badRequest, message: "reason: 1 to 500 characters")
        }
        return reason
    }

    /// A body that the node of the path sent. It may have taken its time: whether the node counts is asked again.
    private func read<T: Decodable>(
        _ type: T.Type, from request: Request, _ context: CoordinatorContext
    ) async throws -> T {
        let body = try await JSONBody.decode(type, from: request)
        try check(try context.parameters.require("node"), context)
        return body
    }

    private func check(_ node: String, _ context: CoordinatorContext) throws {
        if let problem = store.bars.problem(node, key: context.keyDigest) {
            throw HTTPError(.forbidden, message: problem)
        }
    }

    /// Of one node, however much happens meanwhile.
    private static let leastBetweenLooks = Duration.milliseconds(100)

    /// Holds the answer back while there is nothing to say.
    private func answer(
        _ poll: PollRequest, _ node: String, _ context: CoordinatorContext
    ) async throws -> PollResponse {
        let deadline = ContinuousClock.now + .seconds(poll.waitSeconds)
        while true {
            let (step, looked) = (store.steps.step, ContinuousClock.now)
            let response = try await store.poll(node, poll)
            let isEmpty =
                response.assignments.isEmpty && response.cancellations.isEmpty && response.revocations?.isEmpty != false
            if !isEmpty { return response }
            // Where jobs wait, time alone may bring one here.
            let again = store.plans.isEmpty ? deadline : min(deadline, .now + .seconds(1))
            await store.steps.wait(after: step, until: again)
            if ContinuousClock.now >= deadline || Task.isShuttingDownGracefully { return response }
            try await Task.sleep(until: looked + Self.leastBetweenLooks)
            try check(node, context)
        }
    }
}
