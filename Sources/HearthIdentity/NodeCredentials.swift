import Crypto
import Foundation
import HearthFleet
import X509

/// A node's own key, which never leaves it, with the certificate that says whose it is and the authority that said so.
///
/// Three files of a folder: `node.key` (mode 0600), `node.pem`, `authority.pem`.
public struct NodeCredentials: Sendable {
    public let keyPEM, certificatePEM, authorityPEM: String
    public let certificate: PeerCertificate
    public let identity: SPIFFEID

    private init(key: String, certificate: String, authority: String, file: String) throws(ConfigError) {
        guard let parsed = PeerCertificate(pem: certificate), let identity = parsed.identity, identity.kind == .node
        else { throw ConfigError("\(file): is no node's certificate") }
        (keyPEM, certificatePEM, authorityPEM) = (key, certificate, authority)
        (self.certificate, self.identity) = (parsed, identity)
    }

    /// - Throws: `ConfigError` naming what is missing, and what makes it.
    public static func read(_ folder: String) throws(ConfigError) -> Self {
        guard FileManager.default.fileExists(atPath: "\(folder)/node.pem") else {
            throw ConfigError("\(folder): this node has not joined; ask the operator for a token and run hearth join")
        }
        return try Self(
            key: try PrivateFile.read("\(folder)/node.key"), certificate: try PrivateFile.read("\(folder)/node.pem"),
            authority: try PrivateFile.read("\(folder)/authority.pem"), file: "\(folder)/node.pem")
    }

    /// Keeps them in `folder`: the certificate last, since it is what makes a node one that has joined.
    public func write(_ folder: String) throws(ConfigError) {
        try PrivateFile.write(authorityPEM, "\(folder)/authority.pem")
        try PrivateFile.write(keyPEM, "\(folder)/node.key")
        try PrivateFile.write(certificatePEM, "\(folder)/node.pem")
    }

    /// The same key with what `certificate` says of it now.
    public func renewed(_ certificate: String) throws(ConfigError) -> Self {
        try Self(key: keyPEM, certificate: certificate, authority: authorityPEM, file: "the coordinator's answer")
    }

    /// Seconds of its life that are left at `date`, and its whole life.
    public func life(at date: Date) -> (left: Double, whole: Double) {
        let (from, to) = (certificate.notBefore, certificate.notAfter)
        return (to.timeIntervalSince(date), to.timeIntervalSince(from) - CertificateAuthority.clockSkew)
    }

    /// A request for a certificate of this key.
    public var request: String {
        get throws(ConfigError) { try NewNodeKey(pem: keyPEM).request }
    }

    /// A key that has no certificate yet.
    public struct NewNodeKey: Sendable {
        private let key: Certificate.PrivateKey

        public init() { key = Certificate.PrivateKey(P256.Signing.PrivateKey()) }

        init(pem: String) throws(ConfigError) {
            do { key = try Certificate.PrivateKey(pemEncoded: pem) } catch {
                throw ConfigError("node.key: is no key: \(error)")
            }
        }

        /// A certificate signing request, PEM. It asks for nothing: whose the key is, the authority says.
        public var request: String {
            get throws(ConfigError) {
                do {
                    let request = try CertificateSigningRequest(
                        version: .v1, subject: DistinguishedName(), privateKey: key,
                        attributes: CertificateSigningRequest.Attributes(), signatureAlgorithm: .ecdsaWithSHA256)
                    return try request.serializeAsPEM().pemString
                } catch { throw ConfigError("a request cannot be made: \(error)") }
            }
        }

        public func credentials(certificate: String, authority: String) throws(ConfigError) -> NodeCredentials {
            let pem: String
            do { pem = try key.serializeAsPEM().pemString + "\n" } catch { throw ConfigError("node.key: \(error)") }
            return try NodeCredentials(
                key: pem, certificate: certificate, authority: authority, file: "the coordinator's answer")
        }
    }
}
