import Crypto
import Foundation
import HearthJSON

/// A text with signatures of those who vouch for it.
///
/// - Source: C2SP signed-note; cosignatures as C2SP tlog-cosignature has them.
public struct SignedNote: Sendable, Hashable {
    /// Lines that end with a line break each; no control characters.
    public let text: String
    public private(set) var signatures: [Signature]

    public struct Signature: Sendable, Hashable {
        public let name: String
        /// The first four bytes of a hash over name, algorithm and key.
        public let keyID: [UInt8]
        public let bytes: [UInt8]
    }

    public struct Problem: Error, Sendable, Equatable, CustomStringConvertible {
        public let description: String
        public init(_ description: String) { self.description = description }
    }

    /// - Throws: for a text that a note cannot hold.
    public init(text: String) throws(Problem) {
        if let problem = Self.problem(of: text) { throw Problem(problem) }
        (self.text, signatures) = (text, [])
    }

    /// Reads what `description` writes.
    public init(parsing note: String) throws(Problem) {
        // By scalars: a carriage return before a line break would be one character with it.
        guard let border = note.range(of: "\n\n", options: [.literal, .backwards]) else {
            throw Problem("the note has no blank line before its signatures")
        }
        try self.init(text: String(note[..<border.lowerBound]) + "\n")
        let lines = note[border.upperBound...].unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count > 1, lines.last?.isEmpty == true else { throw Problem("the note has no signature lines") }
        guard lines.count <= 101 else { throw Problem("the note has more than 100 signatures") }
        for line in lines.dropLast() { signatures.append(try Self.signature(String(line))) }
    }

    private static func signature(_ line: String) throws(Problem) -> Signature {
        let parts = line.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "\u{2014}", isName(parts[1]),
            let data = Data(base64Encoded: String(parts[2])),
            data.count > 4
        else { throw Problem("'\(line.prefix(80))' is not a signature line") }
        return Signature(name: String(parts[1]), keyID: Array(data.prefix(4)), bytes: Array(data.dropFirst(4)))
    }

    private static func problem(of text: String) -> String? {
        if text.isEmpty || text.unicodeScalars.last != "\n" { return "a note's text ends with a line break" }
        let isClean = text.unicodeScalars.allSatisfy { $0.value >= 0x20 || $0 == "\n" }
        return isClean ? nil : "a note's text has no control characters"
    }

    static func isName(_ name: some StringProtocol) -> Bool {
        !name.isEmpty && !name.unicodeScalars.contains { $0.properties.isWhitespace || $0 == "+" || $0.value < 0x20 }
    }

    public mutating func add(_ signature: Signature) {
        signatures.removeAll { $0.name == signature.name && $0.keyID == signature.keyID }
        signatures.append(signature)
    }

    /// Whether `key` vouches for the text.
    public func isSigned(by key: VerifierKey) -> Bool {
        signatures.contains { key.isValid($0, of: text) }
    }
}

extension SignedNote: CustomStringConvertible {
    public var description: String {
        text + "\n"
            + signatures.map { "\u{2014} \($0.name) \(Data($0.keyID + $0.bytes).base64EncodedString())\n" }.joined()
    }
}

/// Who may sign: a name and an Ed25519 key, as an author or as a witness.
public struct VerifierKey: Sendable, Hashable, LosslessStringConvertible {
    /// What a signature is over.
    public enum Kind: UInt8, Sendable {
        /// The text.
        case author = 1
        /// A time and the text: the witness saw it then.
        case witness = 4
    }

    public let name: String
    public let kind: Kind
    public let publicKey: Data
    /// The first four bytes of SHA-256 over name, line break, kind and key.
    public var keyID: [UInt8] {
        Array(SHA256.hash(data: Data("\(name)\n".utf8) + [kind.rawValue] + publicKey).prefix(4))
    }

    /// `NAME+HEX+BASE64`
    public var description: String {
        let id = keyID.hexadecimal
        return "\(name)+\(id)+\((Data([kind.rawValue]) + publicKey).base64EncodedString())"
    }

    /// nil for a text that `description` does not write.
    public init?(_ text: String) {
        let parts = text.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, SignedNote.isName(parts[0]), let data = Data(base64Encoded: String(parts[2])),
            data.count == 33, let kind = Kind(rawValue: data[0])
        else { return nil }
        (name, self.kind, publicKey) = (String(parts[0]), kind, data.dropFirst())
        if description != text { return nil }
    }

    init(name: String, kind: Kind, publicKey: Data) {
        (self.name, self.kind, self.publicKey) = (name, kind, publicKey)
    }

    /// - Parameter envelope: of `DSSEEnvelope.signed`.
    func isValid(_ signature: Data, ofEnvelope envelope: Data) -> Bool {
        guard kind == .author, let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else {
            return false
        }
        return key.isValidSignature(signature, for: envelope)
    }

    func isValid(_ signature: SignedNote.Signature, of text: String) -> Bool {
        guard signature.name == name, signature.keyID == keyID,
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey)
        else { return false }
        switch kind {
        case .author: return key.isValidSignature(signature.bytes, for: Data(text.utf8))
        case .witness:
            guard signature.bytes.count == 72 else { return false }
            let seconds = signature.bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return key.isValidSignature(signature.bytes.dropFirst(8), for: SignerKey.witnessed(text, at: seconds))
        }
    }
}

/// The private half: `PRIVATE+KEY+NAME+HEX+BASE64`, as C2SP's tools keep it.
public struct SignerKey: Sendable {
    public let verifier: VerifierKey
    private let key: Curve25519.Signing.PrivateKey

    /// A new key. - Precondition: `name` has no white space and no plus sign.
    public init(name: String, kind: VerifierKey.Kind = .author) {
        precondition(SignedNote.isName(name), "'\(name)' cannot be a key's name")
        self.init(name: name, kind: kind, key: Curve25519.Signing.PrivateKey())
    }

    private init(name: String, kind: VerifierKey.Kind, key: Curve25519.Signing.PrivateKey) {
        verifier = VerifierKey(name: name, kind: kind, publicKey: key.publicKey.rawRepresentation)
        self.key = key
    }

    /// nil for a text that `secret` does not write.
    public init?(secret text: String) {
        let parts = text.split(separator: "+", maxSplits: 4, omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0] == "PRIVATE", parts[1] == "KEY", SignedNote.isName(parts[2]),
            let data = Data(base64Encoded: String(parts[4])), data.count == 33,
            let kind = VerifierKey.Kind(rawValue: data[0]),
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: data.dropFirst())
        else { return nil }
        self.init(name: String(parts[2]), kind: kind, key: key)
        if secret != text { return nil }
    }

    /// To be kept from others.
    public var secret: String {
        let id = verifier.keyID.hexadecimal
        let bytes = Data([verifier.kind.rawValue]) + key.rawRepresentation
        return "PRIVATE+KEY+\(verifier.name)+\(id)+\(bytes.base64EncodedString())"
    }

    /// - Parameter seconds: since 1970, for a witness.
    public func sign(_ text: String, at seconds: UInt64) throws -> SignedNote.Signature {
        let bytes: [UInt8]
        switch verifier.kind {
        case .author: bytes = Array(try key.signature(for: Data(text.utf8)))
        case .witness:
            let time = withUnsafeBytes(of: seconds.bigEndian) { Array($0) }
            bytes = time + Array(try key.signature(for: Self.witnessed(text, at: seconds)))
        }
        return SignedNote.Signature(name: verifier.name, keyID: verifier.keyID, bytes: bytes)
    }

    /// - Precondition: it is an author's key.
    func signature(ofEnvelope envelope: Data) throws -> Data {
        precondition(verifier.kind == .author, "a witness signs checkpoints only")
        return try key.signature(for: envelope)
    }

    static func witnessed(_ text: String, at seconds: UInt64) -> Data {
        Data("cosignature/v1\ntime \(seconds)\n\(text)".utf8)
    }
}
