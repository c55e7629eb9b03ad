import Crypto
import Foundation
import HearthFleet
import HearthJSON
import SwiftASN1
import X509

/// The authority of one trust domain: it says which key is which node's. Kept by the coordinator.
public struct CertificateAuthority: Sendable {
    public let trustDomain: String
    private let certificate: Certificate
    private let key: Certificate.PrivateKey

    /// A request or a certificate that is not what it should be.
    public struct Problem: Error, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// Clocks may differ by this much: certificates begin so long before they are made.
    static let clockSkew = 300.0
    private static let ownLifetime = 10 * 365 * 86400.0
    private static let maximumRequestByteCount = 16 << 10

    /// Reads `authority.key` and `authority.pem` of `folder`, making both where there is neither.
    ///
    /// - Throws: `ConfigError` where one is missing, damaged, or of another trust domain.
    public static func readOrCreate(_ folder: String, trustDomain: String) throws(ConfigError) -> Self {
        guard SPIFFEID.isTrustDomain(trustDomain) else {
            throw ConfigError(
                "trustDomain: '\(trustDomain.prefix(40))' is not lower-case letters, digits, '.', '-' or '_'")
        }
        let (keyFile, file) = ("\(folder)/authority.key", "\(folder)/authority.pem")
        if !FileManager.default.fileExists(atPath: keyFile), !FileManager.default.fileExists(atPath: file) {
            let (made, key) = try create(trustDomain)
            try PrivateFile.write(key, keyFile)
            try PrivateFile.write(made.pem, file, mode: 0o644)
        }
        let (keyText, text) = (try PrivateFile.read(keyFile), try ConfigError.text(file))
        do {
            let read = Self(
                trustDomain: trustDomain, certificate: try Certificate(pemEncoded: text),
                key: try Certificate.PrivateKey(pemEncoded: keyText))
            guard read.certificate.publicKey == read.key.publicKey else {
                throw Problem(description: "is not the certificate of \(keyFile)")
            }
            guard try read.certificate.extensions.subjectAlternativeNames?.contains(name(of: trustDomain)) == true
            else {
                throw Problem(description: "is of another trust domain than \(trustDomain)")
            }
            return read
        } catch { throw ConfigError("\(file): \(error)") }
    }

    private static func name(of trustDomain: String) -> GeneralName {
        .uniformResourceIdentifier("spiffe://\(trustDomain)")
    }

    private static func create(_ trustDomain: String) throws(ConfigError) -> (Self, key: String) {
        do {
            let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
            let subject = try DistinguishedName {
                CommonName("Hearth authority of \(trustDomain)".prefix(64).description)
            }
            let certificate = try Certificate(
                version: .v3, serialNumber: .init(), publicKey: key.publicKey,
                notValidBefore: Date(timeIntervalSinceNow: -clockSkew),
                notValidAfter: Date(timeIntervalSinceNow: ownLifetime), issuer: subject, subject: subject,
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: key.publicKey)
                    SubjectAlternativeNames([name(of: trustDomain)])
                }, issuerPrivateKey: key)
            let made = Self(trustDomain: trustDomain, certificate: certificate, key: key)
            return (made, try key.serializeAsPEM().pemString + "\n")
        } catch { throw ConfigError("the authority of \(trustDomain) cannot be made: \(error)") }
    }

    public var pem: String { ((try? certificate.serializeAsPEM().pemString) ?? "") + "\n" }

    public var sha256: String { Self.sha256(certificate) }

    /// SHA-256 of the certificate in `pem`. - Throws: `Problem` where it holds none.
    public static func sha256(ofPEM pem: String) throws(Problem) -> String {
        do { return sha256(try Certificate(pemEncoded: pem)) } catch {
            throw Problem(description: "is no certificate: \(error)")
        }
    }

    private static func sha256(_ certificate: Certificate) -> String {
        var serializer = DER.Serializer()
        try? serializer.serialize(certificate)
        return SHA256.hash(data: Data(serializer.serializedBytes)).hexadecimal
    }

    // MARK: Certificates

    /// A certificate that the key of `request` is node `name`'s. What else the request asks for is not granted.
    ///
    /// - Parameter request: a certificate signing request, PEM.
    /// - Throws: `Problem` for what is none, or was not signed by its own key.
    public func issue(node name: String, request: String, lifetimeSeconds: Double) throws(Problem) -> String {
        guard let identity = SPIFFEID(trustDomain: trustDomain, .node, name) else {
            throw Problem(description: "'\(name.prefix(40))' is no node's name")
        }
        guard request.utf8.count <= Self.maximumRequestByteCount,
            let parsed = try? CertificateSigningRequest(pemEncoded: request)
        else { throw Problem(description: "is no certificate signing request (PEM)") }
        guard parsed.publicKey.isValidSignature(parsed.signature, for: parsed) else {
            throw Problem(description: "was not signed by the key it is for")
        }
        do {
            return try sign(
                parsed.publicKey, names: [.uniformResourceIdentifier("\(identity)")], usage: [.clientAuth],
                lifetime: lifetimeSeconds, commonName: name)
        } catch { throw Problem(description: "cannot be answered: \(error)") }
    }

    /// A key and a certificate for the coordinator's own listener.
    ///
    /// - Parameter names: DNS names and IP addresses under which it is reached.
    public func issueServer(names: [String]) throws(Problem) -> (certificate: String, key: String) {
        do {
            let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
            let certificate = try sign(
                key.publicKey, names: names.map(Self.name(ofHost:)), usage: [.serverAuth], lifetime: Self.ownLifetime,
                commonName: "Hearth coordinator")
            return (certificate, try key.serializeAsPEM().pemString)
        } catch { throw Problem(description: "\(error)") }
    }

    private static func name(ofHost host: String) -> GeneralName {
        var (v4, v6) = (in_addr(), in6_addr())
        if inet_pton(AF_INET, host, &v4) == 1 {
            return .ipAddress(ASN1OctetString(contentBytes: withUnsafeBytes(of: v4) { ArraySlice($0) }))
        }
        if inet_pton(AF_INET6, host, &v6) == 1 {
            return .ipAddress(ASN1OctetString(contentBytes: withUnsafeBytes(of: v6) { ArraySlice($0) }))
        }
        return .dnsName(host)
    }

    private func sign(
        _ publicKey: Certificate.PublicKey, names: [GeneralName], usage: [ExtendedKeyUsage.Usage], lifetime: Double,
        commonName: String
    ) throws -> String {
        let now = Date()
        let issued = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: publicKey,
            notValidBefore: now.addingTimeInterval(-Self.clockSkew),
            notValidAfter: min(now.addingTimeInterval(lifetime), certificate.notValidAfter),
            issuer: certificate.subject, subject: try DistinguishedName { CommonName(String(commonName.prefix(64))) },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage(usage)
                SubjectAlternativeNames(names)
            }, issuerPrivateKey: key)
        return try issued.serializeAsPEM().pemString + "\n"
    }
}
