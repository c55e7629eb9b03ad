import HearthFleet
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle

/// The coordinator process: REST, dashboard and metrics over one store.
public struct Coordinator: Sendable {
    private let config: CoordinatorConfig
    private let address: ListenAddress
    private let store: CoordinatorStore
    private let token: String
    private let logger: Logger

    /// Prepares state folder, database and token; nothing listens yet.
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
        store = try CoordinatorStore(folder: config.state)
        token = try TokenFile.readOrCreate(config.state + "/token")
    }

    /// Serves until SIGTERM or SIGINT, then finishes what it has begun.
    public func run() async throws {
        let application = Application(
            router: Self.router(store: store, token: token),
            configuration: .init(address: .hostname(address.host, port: address.port), serverName: "hearth"),
            onServerRunning: { [config, address, logger] channel in
                let url = address.announce(boundPort: channel.localAddress?.port, in: config.state)
                logger.info("coordinator is listening", metadata: ["url": "\(url)"])
            },
            logger: logger)
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: application)], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        do {
            try await group.run()
        } catch let error as IOError {
            if let problem = address.bindProblem(errno: error.errnoCode) { throw problem }
            throw error
        }
    }

    /// Every route of the coordinator; `OpenAPI.document` describes the same ones.
    package static func router(store: CoordinatorStore, token: String) -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self)
        router.add(middleware: ErrorMiddleware())
        router.add(middleware: AuthMiddleware(token: token))
        NodeRoutes(store: store).add(to: router)
        JobRoutes(store: store).add(to: router)
        SiteRoutes(store: store, token: token).add(to: router)
        return router
    }
}
