import Foundation
import HearthFleet
import HearthIdentity
import HearthPolicy
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle

/// The coordinator process: REST, dashboard and metrics over one store.
public struct Coordinator: Sendable {
    private let config: CoordinatorConfig
    private let address: ListenAddress
    private let store: CoordinatorStore
    private let ledger: Ledger
    private let access: AccessSettings
    private let logger: Logger

    /// Prepares state folder, database, token, the ledger's key and the authority; nothing listens yet.
    ///
    /// - Throws: `ConfigError` for a bad address, an unusable folder, a damaged database or another running coordinator.
    public init(config: CoordinatorConfig, logger: Logger) throws {
        self.config = config
        self.logger = logger
        address = try ListenAddress(config.listen)
        guard address.isLoopback || config.trustDomain != nil else {
            throw ConfigError(
                "listen: \(config.listen) is not a loopback address; without trustDomain it is plain HTTP, which stays on the host"
            )
        }
        try StateFolder.prepare(config.state)
        try StateFolder.lock(config.state)
        var labels: LabelFolder?
        if let folder = config.labels, let trusted = config.trusted {
            do { labels = try LabelFolder(folder, keyFile: trusted) } catch { throw ConfigError("\(error)") }
        }
        store = try CoordinatorStore(
            folder: config.state, labels: labels, prices: try PriceList.read(config.prices),
            leaseSeconds: config.leaseSeconds)
        access = AccessSettings(
            token: try TokenFile.readOrCreate(config.state + "/token"),
            users: try config.users.map { try UserList(path: $0) } ?? UserList(),
            authority: try config.trustDomain.map {
                try CertificateAuthority.readOrCreate(config.state, trustDomain: $0)
            }, certificateSeconds: config.certificateSeconds)
        ledger = try Ledger(store: store, folder: config.state, name: ProcessInfo.processInfo.hostName)
    }

    /// Serves until SIGTERM or SIGINT, then finishes what it has begun.
    ///
    /// - Throws: `ConfigError` where the database is not the ledger that was signed, or the port is taken.
    public func run() async throws {
        try await ledger.start()
        try await store.beginEpoch()
        let application = Application(
            router: Self.router(store: store, ledger: ledger, access),
            server: try serverBuilder(),
            configuration: .init(address: .hostname(address.host, port: address.port), serverName: "hearth"),
            onServerRunning: { [config, address, access, logger] channel in
                let url = address.announce(
                    boundPort: channel.localAddress?.port, in: config.state, isSecure: access.authority != nil)
                logger.info("coordinator is listening", metadata: ["url": "\(url)"])
                Systemd.ready()
            },
            logger: logger)
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: LeaseService(store: store, logger: logger)),
                    .init(service: CheckpointService(ledger: ledger, logger: logger)),
                    .init(service: RetentionService(store: store, days: config.retainDays, logger: logger)),
                    .init(service: application),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        do {
            try await group.run()
        } catch let error as IOError {
            if let problem = address.bindProblem(errno: error.errnoCode) { throw problem }
            throw error
        }
    }

    /// Plain, or TLS that asks for a node's certificate and lets users come without one.
    private func serverBuilder() throws -> HTTPServerBuilder {
        guard let authority = access.authority else { return .http1() }
        let names = [ProcessInfo.processInfo.hostName, "localhost", "127.0.0.1", "::1"] + config.names
        do {
            let (certificate, key) = try authority.issueServer(names: names)
            var tls = TLSConfiguration.makeServerConfiguration(
                certificateChain: [.certificate(try NIOSSLCertificate(bytes: Array(certificate.utf8), format: .pem))],
                privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem)))
            tls.minimumTLSVersion = .tlsv13
            tls.certificateVerification = .optionalVerification
            tls.trustRoots = .certificates([try NIOSSLCertificate(bytes: Array(authority.pem.utf8), format: .pem)])
            return try .tls(.http1(), tlsConfiguration: tls)
        } catch { throw ConfigError("TLS of trust domain \(authority.trustDomain): \(error)") }
    }

    /// Every route of the coordinator; `OpenAPI.document` describes the same ones.
    package static func router(
        store: CoordinatorStore, ledger: Ledger, _ access: AccessSettings
    ) -> Router<CoordinatorContext> {
        let router = Router(context: CoordinatorContext.self)
        router.add(middleware: ErrorMiddleware())
        router.add(middleware: AuthMiddleware(access: access, bars: store.bars))
        router.add(middleware: EpochMiddleware(store: store))
        IdentityRoutes(
            store: store, authority: access.authority, certificateSeconds: access.certificateSeconds
        ).add(to: router)
        NodeRoutes(store: store).add(to: router)
        JobRoutes(store: store).add(to: router)
        LedgerRoutes(store: store, ledger: ledger).add(to: router)
        SiteRoutes(store: store).add(to: router)
        EventRoutes(store: store).add(to: router)
        PageRoutes(store: store, ledger: ledger, access: access).add(to: router)
        return router
    }
}

/// Who may ask a coordinator.
package struct AccessSettings: Sendable {
    /// Of the state folder.
    package var token: String
    package var users = UserList()
    /// nil: no certificates, plain HTTP.
    package var authority: CertificateAuthority?
    package var certificateSeconds = 86400.0
    package let sessions = Sessions()

    package init(
        token: String, users: UserList = UserList(), authority: CertificateAuthority? = nil,
        certificateSeconds: Double = 86400
    ) {
        (self.token, self.users, self.authority) = (token, users, authority)
        self.certificateSeconds = certificateSeconds
    }
}
