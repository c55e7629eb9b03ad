import Foundation

/// A whole log as it was exported: `leaves.jsonl`, a leaf a line, and `checkpoint`, a signed note. Everything about it can be
/// checked here, by anyone.
public struct LedgerCopy: Sendable {
    public static let (leavesName, checkpointName) = ("leaves.jsonl", "checkpoint")

    public let leaves: [Data]
    public let note: SignedNote
    public let checkpoint: Checkpoint
    private let tree: MerkleTree

    public init(leaves: [Data], note: SignedNote) throws(SignedNote.Problem) {
        (self.leaves, self.note) = (leaves, note)
        checkpoint = try Checkpoint(note)
        var tree = MerkleTree()
        for leaf in leaves { tree.append(MerkleHash(leaf: leaf)) }
        self.tree = tree
    }

    /// - Throws: what the file system says, or `SignedNote.Problem`.
    public init(folder: String) throws {
        let folder = URL(fileURLWithPath: folder, isDirectory: true)
        let data = try Data(contentsOf: folder.appending(path: Self.leavesName))
        guard data.isEmpty || data.last == UInt8(ascii: "\n") else {
            throw SignedNote.Problem("\(Self.leavesName) ends within a line")
        }
        let note = try String(contentsOf: folder.appending(path: Self.checkpointName), encoding: .utf8)
        let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
        try self.init(leaves: lines.map { Data($0) }, note: try SignedNote(parsing: note))
    }

    /// Whether the leaves are those that `key` signed, and every witness saw, and the log begins as `older` says.
    ///
    /// - Throws: what does not hold.
    public func verify(
        signedBy key: VerifierKey, witnesses: [VerifierKey] = [], older: SignedNote? = nil
    ) throws(SignedNote.Problem) {
        for key in [key] + witnesses where !note.isSigned(by: key) {
            throw SignedNote.Problem("\(key.name) did not sign the checkpoint")
        }
        guard key.name == checkpoint.origin else {
            throw SignedNote.Problem("the checkpoint is of \(checkpoint.origin), and the key of \(key.name)")
        }
        try check()
        guard let older else { return }
        guard older.isSigned(by: key) else { throw SignedNote.Problem("\(key.name) did not sign the older checkpoint") }
        let before = try Checkpoint(older)
        guard begins(with: before) else {
            throw SignedNote.Problem(
                "the log does not begin as the checkpoint of \(before.size) leaves says: it was rewritten")
        }
    }

    /// Whether the leaves are those under the checkpoint, whoever signed it.
    ///
    /// - Throws: what does not hold.
    public func check() throws(SignedNote.Problem) {
        guard leaves.count == checkpoint.size else {
            throw SignedNote.Problem("\(leaves.count) leaves, and the checkpoint is of \(checkpoint.size)")
        }
        guard tree.root(size: leaves.count) == checkpoint.root else {
            throw SignedNote.Problem("the leaves are not those under the checkpoint")
        }
    }

    /// Whether this is the log that `older` is of, and nothing under it changed.
    public func begins(with older: Checkpoint) -> Bool {
        older.origin == checkpoint.origin && older.size <= leaves.count && tree.root(size: older.size) == older.root
    }

    /// - Returns: nil for a leaf that there is not.
    /// - Throws: where the leaves are not those under the checkpoint.
    public func proof(of index: Int) throws(SignedNote.Problem) -> LedgerProof? {
        try check()
        guard leaves.indices.contains(index) else { return nil }
        return LedgerProof(
            index: index, hashes: tree.inclusionProof(index: index, size: leaves.count), checkpoint: note)
    }
}
