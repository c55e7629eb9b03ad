import HearthFleet
import Logging
import ServiceLifecycle

/// Carries the spool to the coordinator: at least once over the wire, forgotten only when acknowledged.
struct DeliveryService: Service {
    let store: AgentStore
    let client: CoordinatorClient
    let node: String
    let logger: Logger
    let link: CoordinatorLink

    private static let batchSize = 200

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var backoff = Backoff()
            for await _ in store.changes() {
                while !Task.isCancelled {
                    guard await link.isRegistered else {
                        try? await Task.sleep(for: .milliseconds(250))
                        continue
                    }
                    guard let sent = await deliver() else {
                        try? await Task.sleep(for: backoff.failed())
                        continue
                    }
                    backoff.succeeded()
                    if sent == 0 { break }
                }
            }
        }
        // A last try, so that a clean stop leaves nothing behind that could have been said.
        if await link.isRegistered { while let sent = await deliver(), sent > 0 {} }
    }

    /// - Returns: how many reports went out; nil when the coordinator did not take them.
    private func deliver() async -> Int? {
        do {
            let reports = try await store.pending(limit: Self.batchSize)
            if reports.isEmpty { return 0 }
            let batch = ReportBatch(bootID: store.bootID, reports: reports)
            let ack = try await client.post("/v1/nodes/\(node)/reports", batch, as: ReportAck.self)
            try await store.forget(through: ack.watermark)
            return reports.count
        } catch {
            await link.failed(error, logger)
            return nil
        }
    }
}

/// Whether the coordinator knows this node at the moment; says each change once.
actor CoordinatorLink {
    private(set) var isRegistered = false
    private var lastProblem: String?

    func registered(_ logger: Logger) {
        if lastProblem != nil || !isRegistered { logger.info("registered with the coordinator") }
        isRegistered = true
        lastProblem = nil
    }

    func failed(_ error: any Error, _ logger: Logger) {
        if error is CancellationError { return }
        // A coordinator that has forgotten the node wants a new registration.
        if (error as? CoordinatorClient.Failure)?.status == 404 { isRegistered = false }
        let problem = "\(error)"
        if problem != lastProblem {
            logger.warning("the coordinator does not take reports; they are kept", metadata: ["problem": "\(problem)"])
        }
        lastProblem = problem
    }
}
