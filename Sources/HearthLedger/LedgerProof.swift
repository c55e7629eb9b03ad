import Foundation

/// That a leaf is in a log, for someone who has neither the log nor a connection: its number, the hashes beside its way to the root,
/// and the signed checkpoint.
///
/// - Source: C2SP tlog-proof.
public struct LedgerProof: Sendable, Hashable, CustomStringConvertible {
    public let index: Int
    public let hashes: [MerkleHash]
    public let checkpoint: SignedNote

    private static let magic = "c2sp.org/tlog-proof@v1"

    public init(index: Int, hashes: [MerkleHash], checkpoint: SignedNote) {
        (self.index, self.hashes, self.checkpoint) = (index, hashes, checkpoint)
    }

    public var description: String {
        let lines = [Self.magic, "index \(index)"] + hashes.map { $0.data.base64EncodedString() }
        return lines.joined(separator: "\n") + "\n\n\(checkpoint)"
    }

    /// Reads what `description` writes.
    public init(parsing text: String) throws(SignedNote.Problem) {
        guard let border = text.range(of: "\n\n", options: .literal) else {
            throw SignedNote.Problem("a proof has a blank line before its checkpoint")
        }
        var lines = text[..<border.lowerBound].unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
            .map { String($0) }
        guard lines[0] == Self.magic else {
            throw SignedNote.Problem("'\(lines[0].prefix(60))' is not \(Self.magic)")
        }
        // What an application adds for itself.
        if lines.count > 1, lines[1].hasPrefix("extra ") { lines.remove(at: 1) }
        guard lines.count > 1 else { throw SignedNote.Problem("the proof has no index") }
        guard lines[1].hasPrefix("index "), let index = Int(lines[1].dropFirst(6)), "index \(index)" == lines[1] else {
            throw SignedNote.Problem("'\(lines[1].prefix(60))' is not the index of a leaf")
        }
        guard lines.count <= 66 else { throw SignedNote.Problem("a proof has at most 64 hashes") }
        var hashes: [MerkleHash] = []
        for line in lines.dropFirst(2) {
            guard let data = Data(base64Encoded: line), let hash = MerkleHash(data) else {
                throw SignedNote.Problem("'\(line.prefix(60))' is not the base64 of a hash")
            }
            hashes.append(hash)
        }
        self.init(index: index, hashes: hashes, checkpoint: try SignedNote(parsing: String(text[border.upperBound...])))
    }

    /// Whether `leaf` is in the log that `key` signs; the checkpoint that says so.
    ///
    /// - Throws: what does not hold.
    public func verify(_ leaf: some DataProtocol, signedBy key: VerifierKey) throws(SignedNote.Problem) -> Checkpoint {
        guard checkpoint.isSigned(by: key) else { throw SignedNote.Problem("\(key.name) did not sign the checkpoint") }
        let known = try Checkpoint(checkpoint)
        guard known.origin == key.name else {
            throw SignedNote.Problem("the checkpoint is of \(known.origin), and the key of \(key.name)")
        }
        guard
            MerkleProof.verifyInclusion(
                MerkleHash(leaf: leaf), index: index, size: known.size, proof: hashes, root: known.root)
        else { throw SignedNote.Problem("the leaf is not number \(index) of the \(known.size) under the checkpoint") }
        return known
    }
}
