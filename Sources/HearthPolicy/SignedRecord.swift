import Foundation
import HearthJSON
import HearthLedger

/// A label or a release with the signature of who made it: a signed note of one line, which is its canonical JSON.
public enum SignedRecord {
    public struct Problem: Error, Sendable, CustomStringConvertible {
        public let description: String

        public init(description: String) { self.description = description }
    }

    /// - Throws: when `value` cannot be encoded.
    public static func sign(_ value: some Encodable, with key: SignerKey) throws -> SignedNote {
        let text = String(decoding: try CanonicalJSON.encode(value), as: UTF8.self) + "\n"
        var note = try SignedNote(text: text)
        note.add(try key.sign(text, at: 0))
        return note
    }

    /// What `note` says, if one of `keys` signed it.
    ///
    /// - Throws: `Problem` for another signer, a malformed note, or a text that is not the canonical form of a `Value`.
    public static func open<Value: Codable>(
        _ type: Value.Type, _ note: String, signedBy keys: [VerifierKey]
    ) throws -> Value {
        let parsed: SignedNote
        do { parsed = try SignedNote(parsing: note) } catch { throw Problem(description: "\(error)") }
        guard keys.contains(where: { $0.kind == .author && parsed.isSigned(by: $0) }) else {
            throw Problem(description: "no trusted key signed it")
        }
        do {
            let value = try JSONDecoder().decode(type, from: Data(parsed.text.utf8))
            // What is not understood is not passed over: a newer field could forbid something.
            guard try CanonicalJSON.encode(value) + Data("\n".utf8) == Data(parsed.text.utf8) else {
                throw Problem(description: "it says more than this version understands")
            }
            return value
        } catch let error as DecodingError {
            throw Problem(description: "it is no \(type): \(error)")
        }
    }
}
