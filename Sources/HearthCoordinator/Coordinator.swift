import Foundation
import HearthFleet
import HearthPolicy
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle

/// The coordinator process: REST, dashboard and metrics over one store.
public struct Coordinator: Sendable {
    private let config: CoordinatorConfig
    private let address: ListenAddress
    private let store: CoordinatorStore
    private let ledger: Ledger
    private let token: String
    private let logger: Logger

    /// Prepares state folder, database, token and the ledger's key; nothing listens yet.
    ///
    /// - Throws: `ConfigError` for a bad address, an unusable folder, a damaged database or another running coordinator.
    public init(config: CoordinatorConfig, logger: Logger) throws {
        self.config = config
        self.logger = logger
        address = try ListenAddress(config.listen)
        guard address.isLoopback else {
            throw ConfigError(
                "listen: \(config.listen) is not a loopback address; this version speaks plain HTTP and stays on the host"
            )
        }
        try StateFolder.prepare(config.state)
        try StateFolder.lock(config.state)
        var labels: LabelFolder?
        if let folder = config.labels, let trusted = config.trusted {
            do { labels = try LabelFolder(folder, keyFile: trusted) } catch { throw ConfigError("\(error)") }
        }
        store = try CoordinatorStore(folder: config.state, labels: labels, prices: try PriceList.read(config.prices))
        token = try TokenFile.readOrCreate(config.state + "/token")
        ledger = try Ledger(store: store, folder: config.state, name: ProcessInfo.processInfo.hostName)
    }

    /// Serves until SIGTERM or SIGINT, then finishes what it has begun.
    ///
    /// - Throws: `ConfigError` where the database is not the ledger that was signed, or the port is taken.
    public func run() async throws {
        try await ledger.start()
        let application = Application(
            router: Self.router(store: store, ledger: ledger, token: token),
            configuration: .init(address: .hostname(address.host, port: address.port), serverName: "hearth"),
            onServerRunning: { [config, address, logger] channel in
                let url = address.announce(boundPort: channel.localAddress?.port, in: config.state)
                logger.info("coordinator is listening", metadata: ["url": "\(url)"])
            },
            logger: logger)
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: CheckpointService(ledger: ledger, logger: logger)), .init(service: application),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        do {
            try await group.run()
        } catch let error as IOError {
            if let problem = address.bindProblem(errno: error.errnoCode) { throw problem }
            throw error
        }
    }

    /// Every route of the coordinator; `OpenAPI.document` describes the same ones.
    package static func router(
        store: CoordinatorStore, ledger: Ledger, token: String
    ) -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self)
        router.add(middleware: ErrorMiddleware())
        router.add(middleware: AuthMiddleware(token: token))
        NodeRoutes(store: store).add(to: router)
        JobRoutes(store: store).add(to: router)
        LedgerRoutes(store: store, ledger: ledger).add(to: router)
        SiteRoutes(store: store, token: token).add(to: router)
        return router
    }
}
