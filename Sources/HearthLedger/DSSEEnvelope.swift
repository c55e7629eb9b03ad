import Foundation
import HearthJSON

/// Bytes of a named type with a signature over both.
///
/// - Source: DSSE v1 (secure-systems-lab), JSON envelope.
public struct DSSEEnvelope: Sendable, Codable {
    public struct Signature: Sendable, Codable {
        public let keyid: String
        public let sig: Data
    }

    public let payload: Data
    public let payloadType: String
    public let signatures: [Signature]

    public init(payload: Data, type: String, signedBy key: SignerKey) throws {
        (self.payload, payloadType) = (payload, type)
        let sig = try key.signature(ofEnvelope: Self.signed(payload, type))
        signatures = [Signature(keyid: "\(key.verifier)", sig: sig)]
    }

    /// - Throws: `SignedNote.Problem` for what is no envelope.
    public init(parsing json: Data) throws(SignedNote.Problem) {
        do { self = try JSONDecoder().decode(Self.self, from: json) } catch {
            throw SignedNote.Problem("is no DSSE envelope: \(error)")
        }
    }

    public var json: Data {
        get throws { try CanonicalJSON.encode(self) }
    }

    /// Whether `key` signed it, under whatever key id.
    public func isSigned(by key: VerifierKey) -> Bool {
        signatures.contains { key.isValid($0.sig, ofEnvelope: Self.signed(payload, payloadType)) }
    }

    /// What is signed: the lengths leave no two readings.
    package static func signed(_ payload: Data, _ type: String) -> Data {
        Data("DSSEv1 \(type.utf8.count) \(type) \(payload.count) ".utf8) + payload
    }
}
