import Crypto
import Foundation
import HearthJSON
import X509

/// What a certificate says, after TLS has held it against the authority.
public struct PeerCertificate: Sendable {
    /// nil where it names nobody, or more than one.
    public let identity: SPIFFEID?
    /// SHA-256 of its public key (the subjectPublicKeyInfo): the same after it was renewed.
    public let keyDigest: String
    public let notBefore: Date
    public let notAfter: Date

    /// nil for what is no certificate.
    public init?(der: [UInt8]) {
        guard let certificate = try? Certificate(derEncoded: der) else { return nil }
        self.init(certificate)
    }

    public init?(pem: String) {
        guard let certificate = try? Certificate(pemEncoded: pem) else { return nil }
        self.init(certificate)
    }

    private init(_ certificate: Certificate) {
        let names = (try? certificate.extensions.subjectAlternativeNames).map(Array.init) ?? []
        if names.count == 1, case .uniformResourceIdentifier(let text) = names[0] {
            identity = SPIFFEID(text)
        } else {
            identity = nil
        }
        keyDigest = SHA256.hash(data: Data(certificate.publicKey.subjectPublicKeyInfoBytes)).hexadecimal
        (notBefore, notAfter) = (certificate.notValidBefore, certificate.notValidAfter)
    }

    public func isValid(at date: Date) -> Bool { notBefore <= date && date < notAfter }
}
