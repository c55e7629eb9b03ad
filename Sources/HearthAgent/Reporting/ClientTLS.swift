import AsyncHTTPClient
import HearthFleet
import HearthIdentity
import NIOSSL
import Synchronization

/// Whom a client of a coordinator believes, and what it shows; may change while the client works.
public final class ClientTLS: Sendable {
    private let current: Mutex<TLSConfiguration>

    /// - Parameter authorityPEM: whose certificates are believed; nil: those that the system believes.
    public init(authorityPEM: String? = nil) throws(ConfigError) {
        current = Mutex(try Self.configuration(authorityPEM))
    }

    /// Shows the node's certificate and believes its authority.
    package init(_ credentials: NodeCredentials) throws(ConfigError) {
        current = Mutex(try Self.configuration(credentials))
    }

    private init(_ configuration: TLSConfiguration) { current = Mutex(configuration) }

    /// Believes everybody: only to fetch what is then held against a digest.
    static var unverified: ClientTLS {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        return ClientTLS(configuration)
    }

    var configuration: TLSConfiguration { current.withLock { $0 } }

    /// For connections from now on.
    func use(_ credentials: NodeCredentials) throws(ConfigError) {
        let next = try Self.configuration(credentials)
        current.withLock { $0 = next }
    }

    private static func configuration(_ authorityPEM: String?) throws(ConfigError) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv13
        guard let authorityPEM else { return configuration }
        do {
            configuration.trustRoots = .certificates([
                try NIOSSLCertificate(bytes: Array(authorityPEM.utf8), format: .pem)
            ])
        } catch { throw ConfigError("the authority's certificate cannot be read: \(error)") }
        return configuration
    }

    private static func configuration(_ credentials: NodeCredentials) throws(ConfigError) -> TLSConfiguration {
        var configuration = try configuration(credentials.authorityPEM)
        do {
            configuration.certificateChain = [
                .certificate(try NIOSSLCertificate(bytes: Array(credentials.certificatePEM.utf8), format: .pem))
            ]
            configuration.privateKey = .privateKey(
                try NIOSSLPrivateKey(bytes: Array(credentials.keyPEM.utf8), format: .pem))
        } catch { throw ConfigError("the node's certificate and key cannot be used: \(error)") }
        return configuration
    }
}
