import Foundation
import HearthFleet
import HearthIdentity
import Logging
import ServiceLifecycle

/// Keeps the node's certificate good: a new one for the same key when a third of its life is left, and again until there is one.
actor RenewService: Service {
    private var credentials: NodeCredentials
    private nonisolated let folder: String
    private nonisolated let client: CoordinatorClient
    private nonisolated let tls: ClientTLS
    private nonisolated let logger: Logger

    init(_ credentials: NodeCredentials, folder: String, client: CoordinatorClient, tls: ClientTLS, logger: Logger) {
        (self.credentials, self.folder, self.client) = (credentials, folder, client)
        (self.tls, self.logger) = (tls, logger)
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let life = await self.credentials.life(at: Date())
                let wait = life.left - life.whole / 3
                // Clocks jump: never longer than a minute at a time.
                if wait > 0 {
                    try? await Task.sleep(for: .seconds(min(60, max(0.2, wait))))
                    continue
                }
                if await !self.renew() { try? await Task.sleep(for: .seconds(min(60, max(0.2, life.whole / 30)))) }
            }
        }
    }

    private func renew() async -> Bool {
        do {
            let answer = try await client.post(
                "/v1/renew", RenewalRequest(request: try credentials.request), as: CertificateAnswer.self)
            let next = try credentials.renewed(answer.certificate)
            guard next.identity == credentials.identity else {
                throw ConfigError("the coordinator's answer is a certificate of \(next.identity)")
            }
            try next.write(folder)
            try tls.use(next)
            credentials = next
            logger.info("certificate renewed", metadata: ["until": "\(next.certificate.notAfter)"])
            return true
        } catch is CancellationError { return true } catch {
            let left = credentials.life(at: Date()).left
            let advice = left > 0 ? "" : "; it has expired: run hearth join with a new token"
            logger.warning(
                "the certificate cannot be renewed\(advice)",
                metadata: ["left": "\(Int(left)) s", "error": "\(error)"])
            return false
        }
    }
}
