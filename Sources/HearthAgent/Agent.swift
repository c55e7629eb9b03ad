import Foundation
import HearthFleet
import HearthIdentity
import HearthPolicy
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle

/// The node daemon: measures devices, runs jobs as child processes, reports. It touches no device itself.
public struct Agent: Sendable {
    private let config: AgentConfig
    private let address: ListenAddress
    private let node: String
    /// Where this node is, as its own settings say.
    private let site: Site?
    private let store: AgentStore
    private let client: CoordinatorClient
    /// Where the coordinator speaks TLS.
    private let renewal: RenewService?
    private let sandbox: Sandbox?
    private let logger: Logger

    /// - Parameter cacheFolder: where compute keeps what it can make again; jobs need it.
    /// - Throws: `ConfigError` for bad settings, an unusable or locked state folder, a damaged spool, a missing token.
    public init(config: AgentConfig, cacheFolder: String, logger: Logger) throws {
        self.config = config
        self.logger = logger
        address = try ListenAddress(config.listen)
        guard address.isLoopback else { throw ConfigError("listen: \(config.listen) is not a loopback address") }
        site = try AdmissionConfig.read(config.admission)?.site
        try StateFolder.prepare(config.state)
        try StateFolder.lock(config.state)
        store = try AgentStore(folder: config.state)
        sandbox = try Sandbox.prepare(
            config.sandbox, cache: cacheFolder, admission: config.admission
        ) { problem in
            logger.warning(
                "jobs run without a sandbox: they see what the agent sees", metadata: ["because": "\(problem)"])
        }
        try ControlGroup.check(config.jobLimits)
        guard CoordinatorClient.isSecure(config.coordinator) else {
            node = config.name ?? ProcessInfo.processInfo.hostName
            guard FleetName.isValid(node) else {
                throw ConfigError("name: '\(node)' is not 1 to 128 letters, digits, '.', '_' or '-'")
            }
            client = try CoordinatorClient(
                url: config.coordinator, token: try TokenFile.read(config.tokenFile), fence: EpochFence(store))
            renewal = nil
            return
        }
        let credentials = try NodeCredentials.read(config.state)
        node = credentials.identity.name
        if let name = config.name, name != node {
            throw ConfigError("name: this machine joined as \(node), not as \(name)")
        }
        let tls = try ClientTLS(credentials)
        client = try CoordinatorClient(url: config.coordinator, tls: tls, fence: EpochFence(store))
        renewal = RenewService(credentials, folder: config.state, client: client, tls: tls, logger: logger)
    }

    /// Runs until SIGTERM or SIGINT. Jobs go on without the agent; the next one adopts them.
    public func run() async throws {
        let work = URL(fileURLWithPath: config.state, isDirectory: true).appending(path: "jobs")
        let link = CoordinatorLink()
        let probes = work.appending(path: "probes")
        let prober = DeviceProber(
            store: store, folder: probes, config: config, node: node, site: site, logger: logger
        )
        let graphics = GraphicsWatch(
            folder: probes, everySeconds: config.sampleLoadSeconds > 0 ? config.sampleLoadSeconds : 15, logger: logger,
            onChange: { await prober.graphicsChanged($0) })
        let supervisor = JobSupervisor(
            store: store, folder: work, admission: config.admission, sandbox: sandbox,
            kept: [config.state, URL(fileURLWithPath: config.tokenFile).deletingLastPathComponent().path],
            limits: config.jobLimits,
            publish: { [client, node] attempt in try await client.mayPublish(attempt, from: node) },
            onEnd: { await prober.jobEnded($0) }, logger: logger)
        let metrics = Application(
            router: AgentMetrics.router(store: store, prober: prober, graphics: graphics, link: link),
            configuration: .init(address: .hostname(address.host, port: address.port), serverName: "hearth-agent"),
            onServerRunning: { [config, address, logger] channel in
                let url = address.announce(boundPort: channel.localAddress?.port, in: config.state)
                logger.info("agent metrics", metadata: ["url": "\(url)/metrics"])
                Systemd.ready()
            },
            logger: logger)
        let services: [any Service] =
            [renewal].compactMap(\.self) + [
                metrics, supervisor, prober, graphics,
                DeliveryService(store: store, client: client, node: node, logger: logger, link: link),
                LoadService(
                    store: store, client: client, node: node, everySeconds: config.sampleLoadSeconds, link: link,
                    graphics: graphics, logger: logger),
                PollService(
                    store: store, client: client, supervisor: supervisor, registration: { await prober.registration() },
                    isReady: { await prober.isReady }, link: link, logger: logger),
            ]
        let group = ServiceGroup(
            configuration: .init(
                services: services.map { .init(service: $0) }, gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger))
        do {
            try await group.run()
        } catch let error as IOError {
            if let problem = address.bindProblem(errno: error.errnoCode) { throw problem }
            throw error
        }
    }
}
