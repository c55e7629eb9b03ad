import Foundation
import HTTPTypes
import HearthFleet
import HearthInference
import HearthRoofline
import HearthTelemetry
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle

/// A request on its way, with whose it is.
package struct ServeContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    /// The API key's name; empty where none is asked for.
    var client = ""

    package init(source: ApplicationRequestContextSource) { coreContext = .init(source: source) }
}

/// An OpenAI-compatible endpoint over one engine.
public struct InferenceServer: Sendable {
    let model: ServedModel
    let config: ServeConfig
    let startedAt = Int(Date().timeIntervalSince1970)
    private let address: ListenAddress
    private let keys: APIKeys?
    private let ceilings: Ceilings?
    private let energy: EnergyMeter
    private let logger: Logger

    var engine: Engine { model.engine }
    var language: LanguageModel { model.language }

    /// - Throws: `ConfigError` for an address that others reach without keys and TLS, or files that cannot be read.
    public init(
        _ model: ServedModel, config: ServeConfig, ceilings: Ceilings?, logger: Logger
    ) throws(ConfigError) {
        (self.model, self.config, self.ceilings, self.logger) = (model, config, ceilings, logger)
        // Who uses no GPU asks no driver.
        let usesGraphics = model.language.device.description.kind != .cpu
        energy = EnergyMeter(graphics: usesGraphics ? try? NVIDIAGraphics() : nil)
        address = try ListenAddress(config.listen)
        try config.check(address)
        keys = try config.apiKeyFile.map { path throws(ConfigError) in try APIKeys(path: path) }
    }

    /// Serves until SIGTERM or SIGINT, then finishes the answers under way.
    public func run() async throws {
        let application = Application(
            router: router(), server: try serverBuilder(),
            configuration: .init(
                address: .hostname(address.host, port: address.port), serverName: "hearth",
                availableConnectionsDelegate: MaximumAvailableConnections(config.maxConnections, logger: logger)),
            onServerRunning: { [config, address, logger] channel in
                let port = channel.localAddress?.port ?? address.port
                var url = "http://\(address.host):\(port)"
                if let folder = config.stateFolder { url = address.announce(boundPort: port, in: folder) }
                if config.certificateFile != nil { url = url.replacingOccurrences(of: "http://", with: "https://") }
                logger.info("inference server is listening", metadata: ["url": "\(url)"])
            },
            logger: logger)
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: application)], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        defer { model.keeping?.cancel() }
        do {
            try await group.run()
        } catch let error as IOError {
            if let problem = address.bindProblem(errno: error.errnoCode) { throw problem }
            throw error
        }
        engine.stop()
        model.keeping?.cancel()
        await model.keeping?.value
    }

    private func serverBuilder() throws -> HTTPServerBuilder {
        let plain = HTTPServerBuilder.http1(
            configuration: .init(idleTimeout: .seconds(Int64(config.idleSeconds))))
        guard let certificate = config.certificateFile, let key = config.privateKeyFile else { return plain }
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(certificate).map { NIOSSLCertificateSource.certificate($0) }
            var tls = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain, privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
            tls.minimumTLSVersion = .tlsv12
            return try .tls(plain, tlsConfiguration: tls)
        } catch {
            throw ConfigError("TLS: \(certificate), \(key): \(error)")
        }
    }

    package func router() -> Router<ServeContext> {
        let router = Router(context: ServeContext.self)
        router.add(middleware: ErrorMiddleware())
        router.add(middleware: KeyMiddleware(keys: keys))
        CompletionRoutes(server: self).add(to: router)
        EmbeddingRoutes(server: self).add(to: router)
        ModelRoutes(server: self).add(to: router)
        TryPage(model: model).add(to: router)
        router.get("/metrics") { [self] _, _ in
            let text = ServeMetrics.text(engine.metrics, ceilings: ceilings, energy: energy.read())
            return Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4"],
                body: .init(byteBuffer: ByteBuffer(string: text)))
        }
        return router
    }

    // MARK: For routes

    /// The response that `answer` makes, which ends when the client goes. Nothing is written before: that it has gone is seen from
    /// what it sends, and who listens for that cannot take the connection's next request, be the answer an error or not.
    static func watching(_ request: Request, _ answer: () async throws -> Response) async throws -> Response {
        var response = try await request.body.consumeWithCancellationOnInboundClose { _ in
            do { return try await answer() } catch let error as APIError { return try error.response() }
        }
        response.headers[.connection] = "close"
        return response
    }

    func body(of request: Request) async throws -> ByteBuffer {
        var request = request
        return try await collectBody(of: &request)
    }

    /// The body, which `request` keeps.
    func collectBody(of request: inout Request) async throws -> ByteBuffer {
        do {
            return try await request.collectBody(upTo: config.maxBodyByteCount)
        } catch is NIOTooManyBytesError {
            throw APIError(.contentTooLarge, "the body is larger than \(config.maxBodyByteCount) bytes")
        } catch let error as HTTPError where error.status == .contentTooLarge {
            throw APIError(.contentTooLarge, "the body is larger than \(config.maxBodyByteCount) bytes")
        }
    }
}

/// Lets in those who have a key. `/health` is open: load balancers ask it; and `/`, which asks for the key itself.
struct KeyMiddleware: RouterMiddleware {
    let keys: APIKeys?

    func handle(
        _ request: Request, context: ServeContext, next: (Request, ServeContext) async throws -> Response
    ) async throws -> Response {
        guard let keys, !["/health", "/"].contains(request.uri.path) else { return try await next(request, context) }
        guard let name = keys.name(forHeader: request.headers[.authorization]) else {
            throw APIError(.unauthorized, "an API key of this server is needed: Authorization: Bearer KEY")
        }
        var context = context
        context.client = name
        return try await next(request, context)
    }
}
