import Logging
import ServiceLifecycle

/// Signs the ledger every minute and at the end, whether anybody asks or not: what is not signed could be rewritten unseen.
struct CheckpointService: Service {
    let ledger: Ledger
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(60))
                await sign()
            }
        }
        await sign()
    }

    private func sign() async {
        do { _ = try await ledger.checkpoint() } catch is CancellationError { return } catch {
            logger.error("the ledger cannot be signed", metadata: ["error": "\(error)"])
        }
    }
}
