import Foundation

/// What a log says of itself at one size: its name, how many leaves it has, and their root.
///
/// - Source: C2SP tlog-checkpoint.
public struct Checkpoint: Sendable, Hashable {
    /// Names the log, for example `coordinator.example/hearth`.
    public let origin: String
    public let size: Int
    public let root: MerkleHash

    public init(origin: String, size: Int, root: MerkleHash) {
        (self.origin, self.size, self.root) = (origin, size, root)
    }

    /// The text that is signed.
    public var text: String { "\(origin)\n\(size)\n\(root.data.base64EncodedString())\n" }

    /// Lines after the third are an extension's, and allowed.
    ///
    /// - Throws: what is wrong with the text.
    public init(_ note: SignedNote) throws(SignedNote.Problem) {
        let lines = note.text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
        guard lines.count >= 4, !lines.dropLast().contains("") else {
            throw SignedNote.Problem("a checkpoint has an origin, a size and a root, a line each")
        }
        // As it is written: no sign, no zero in front.
        guard let size = Int(lines[1]), "\(size)" == lines[1], size >= 0 else {
            throw SignedNote.Problem("'\(lines[1].prefix(40))' is not a size")
        }
        guard let data = Data(base64Encoded: lines[2]), let root = MerkleHash(data) else {
            throw SignedNote.Problem("'\(lines[2].prefix(80))' is not the base64 of a root")
        }
        (self.origin, self.size, self.root) = (lines[0], size, root)
    }
}
