import Foundation
import GRDB
import HearthEvidence
import HearthFleet
import HearthJSON
import HearthLedger
import HearthPlacement
import HearthPolicy
import HearthStore

extension CoordinatorStore {
    /// The table that nothing can be changed in or taken out of, by SQLite's own triggers.
    static let ledgerSchema = """
        CREATE TABLE ledger(number INTEGER PRIMARY KEY, job TEXT NOT NULL, hash BLOB NOT NULL, leaf BLOB NOT NULL);
        CREATE INDEX ledger_by_job ON ledger(job, number);
        CREATE TRIGGER ledger_grows BEFORE INSERT ON ledger
            WHEN NEW.number <> (SELECT IFNULL(MAX(number) + 1, 0) FROM ledger)
            BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
        CREATE TRIGGER ledger_keeps BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
        CREATE TRIGGER ledger_stays BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
        """

    /// Adds a step of `job` to the ledger, in the transaction that takes it.
    ///
    /// - Parameter decision: by which rule a node got it.
    static func record(
        _ kind: LedgerRecord.Kind, of job: JobRecord, because decision: PlacementDecision? = nil, _ db: Database
    ) throws {
        var record = try LedgerRecord(kind, of: job, at: now())
        (record.decision, record.placement) = (decision?.candidate?.permission, decision?.reason)
        record.predictedSeconds = decision?.candidate?.predicted?.seconds
        record.site = try site(of: job.node, db)?.name
        let previous = try Data.fetchOne(
            db, sql: "SELECT hash FROM ledger WHERE job = ? ORDER BY number DESC LIMIT 1", arguments: [job.id])
        record.previous = previous.flatMap { MerkleHash($0) }
        let leaf = try CanonicalJSON.encode(record)
        try db.execute(
            sql: "INSERT INTO ledger SELECT IFNULL(MAX(number) + 1, 0), ?, ?, ? FROM ledger",
            arguments: [job.id, MerkleHash(leaf: leaf).data, leaf])
    }

    /// As `record`, of the job as it is now.
    static func record(
        _ kind: LedgerRecord.Kind, ofJob id: String, because decision: PlacementDecision? = nil, _ db: Database
    ) throws {
        guard let row = try Row.fetchOne(db, sql: "SELECT * FROM jobs WHERE id = ?", arguments: [id]) else { return }
        try record(kind, of: try job(row), because: decision, db)
    }

    /// Leaves from number `first` on, up to `byteCount` bytes but for the first.
    ///
    /// - Throws: `ConfigError` where a number is missing: the table was changed by hand.
    package func leaves(from first: Int, limit: Int, byteCount: Int = 8 << 20) async throws -> [Data] {
        try await database.read { db in
            var (leaves, bytes): ([Data], Int) = ([], 0)
            let rows = try Row.fetchCursor(
                db, sql: "SELECT number, leaf FROM ledger WHERE number >= ? ORDER BY number LIMIT ?",
                arguments: [first, limit])
            while let row = try rows.next() {
                let (number, leaf): (Int, Data) = (row["number"], row["leaf"])
                guard number == first + leaves.count else {
                    throw ConfigError("ledger: leaf \(first + leaves.count) is missing")
                }
                bytes += leaf.count
                if bytes > byteCount, !leaves.isEmpty { break }
                leaves.append(leaf)
            }
            return leaves
        }
    }
}
