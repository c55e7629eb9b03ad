import Foundation
import HearthFleet
import HearthLedger

/// The coordinator's log: the leaves are in its database, the tree over them is here, and what was signed last is a file of its own,
/// so that a database that was rewritten or set back does not go unseen.
package actor Ledger {
    private let store: CoordinatorStore
    private let key: SignerKey
    private let signedFile: String
    private var tree = MerkleTree()
    private var signed: SignedNote?

    /// Leaves that it has seen.
    package var count: Int { tree.count }

    package nonisolated var verifier: VerifierKey { key.verifier }

    /// Reads or makes the key in `folder`, and beside it its public half (`ledger.pub`).
    ///
    /// - Throws: `ConfigError` naming a file that cannot be used.
    package init(store: CoordinatorStore, folder: String, name: String) throws {
        self.store = store
        signedFile = "\(folder)/ledger.checkpoint"
        do {
            // A new key would make another log of this one.
            if FileManager.default.fileExists(atPath: signedFile),
                !FileManager.default.fileExists(atPath: "\(folder)/ledger.key")
            {
                throw SignedNote.Problem(
                    "\(folder)/ledger.key is gone, and \(signedFile) was signed with it: restore it")
            }
            key = try KeyFile.readOrCreate("\(folder)/ledger.key", name: "\(name)/hearth")
            try Data("\(key.verifier)\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/ledger.pub"))
        } catch { throw ConfigError("\(error)") }
    }

    /// Reads the log, holds it against what was signed last, and signs what has come since.
    ///
    /// - Throws: `ConfigError` where the database is not the log that was signed.
    package func start() async throws {
        try await grow()
        if FileManager.default.fileExists(atPath: signedFile) { try check() }
        _ = try await checkpoint()
    }

    private func check() throws {
        do {
            let note = try SignedNote(parsing: try String(contentsOfFile: signedFile, encoding: .utf8))
            let last = try Checkpoint(note)
            guard note.isSigned(by: key.verifier) else { throw SignedNote.Problem("is not signed with ledger.key") }
            guard last.size <= tree.count, tree.root(size: last.size) == last.root else {
                throw SignedNote.Problem(
                    "was signed over \(last.size) leaves that the database, which has \(tree.count), does not begin with"
                )
            }
            signed = note
        } catch {
            throw ConfigError("\(signedFile): \(error): the ledger or this file was changed or set back; restore them")
        }
    }

    private func grow() async throws {
        while true {
            let known = tree.count
            let fresh = try await store.leaves(from: known, limit: 10_000)
            // Somebody else may have come here meanwhile.
            guard known == tree.count else { continue }
            if fresh.isEmpty { return }
            for leaf in fresh { tree.append(MerkleHash(leaf: leaf)) }
        }
    }

    /// A signed checkpoint of everything that is recorded; it is on disk before it is given out.
    package func checkpoint() async throws -> SignedNote {
        try await grow()
        if let signed, try Checkpoint(signed).size == tree.count { return signed }
        let checkpoint = Checkpoint(origin: key.verifier.name, size: tree.count, root: tree.root(size: tree.count))
        var note = try SignedNote(text: checkpoint.text)
        note.add(try key.sign(note.text, at: UInt64(Date().timeIntervalSince1970)))
        try Data("\(note)".utf8).write(to: URL(fileURLWithPath: signedFile), options: .atomic)
        signed = note
        return note
    }

    /// nil for a leaf that there is not.
    package func proof(of index: Int) async throws -> LedgerProof? {
        let note = try await checkpoint()
        let size = try Checkpoint(note).size
        guard (0..<size).contains(index) else { return nil }
        return LedgerProof(
            index: index, hashes: tree.inclusionProof(index: index, size: size), checkpoint: note)
    }

    /// What shows that the log begins with its first `old` leaves as they were; nil for more than there are.
    package func consistency(old: Int) async throws -> LedgerConsistency? {
        let note = try await checkpoint()
        let size = try Checkpoint(note).size
        guard (0...size).contains(old) else { return nil }
        return LedgerConsistency(
            old: old, hashes: tree.consistencyProof(old: old, size: size), checkpoint: "\(note)")
    }
}

/// For a witness that saw the log at `old` leaves.
package struct LedgerConsistency: Codable, Sendable {
    package let old: Int
    package let hashes: [MerkleHash]
    package let checkpoint: String
}
