import Foundation
import Logging
import ServiceLifecycle

/// Once an hour forgets what is older than the settings say.
struct RetentionService: Service {
    let store: CoordinatorStore
    let days: Double
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    let gone = try await store.retain(seconds: days * 86400, now: Date().timeIntervalSince1970)
                    if gone.reports + gone.logs + gone.ceilings + gone.loads > 0 {
                        logger.info(
                            "forgot what is old",
                            metadata: [
                                "reports": "\(gone.reports)", "log_pieces": "\(gone.logs)",
                                "ceilings": "\(gone.ceilings)", "loads": "\(gone.loads)",
                            ])
                    }
                } catch is CancellationError { return } catch {
                    logger.error("old rows cannot be forgotten", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: .seconds(3600))
            }
        }
    }
}
