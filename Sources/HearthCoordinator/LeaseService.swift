import Logging
import ServiceLifecycle

/// Looks once a second for leases that ran out.
struct LeaseService: Service {
    let store: CoordinatorStore
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var said: String?
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(1))
                do {
                    let round = try await store.expireLeases()
                    for job in round.returned {
                        logger.warning("a lease ran out; the job is given to another node", metadata: ["job": "\(job)"])
                    }
                    if let heldBack = round.heldBack, heldBack != said {
                        logger.error(
                            "leases ran out and nobody is held to be lost; hearth lost NODE says which are",
                            metadata: ["because": "\(heldBack)"])
                    }
                    said = round.heldBack
                } catch is CancellationError { return } catch {
                    logger.error("leases cannot be looked at", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}
