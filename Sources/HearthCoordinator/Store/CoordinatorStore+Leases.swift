import Foundation
import GRDB
import HearthFleet

extension CoordinatorStore {
    static let leaseSchema = """
        ALTER TABLE jobs ADD COLUMN published INTEGER;
        CREATE TABLE epochs(epoch INTEGER PRIMARY KEY, at REAL NOT NULL);
        """

    /// What one look at the leases did.
    package struct LeaseRound: Sendable {
        package var returned: [String] = []
        /// Why nothing was done, though leases ran out.
        package var heldBack: String?
    }

    /// Gives jobs that stop on partitions to others where their node's lease ran out.
    package func expireLeases() async throws -> LeaseRound {
        let stop = JobSpec.OnPartition.stop
        let holders = try await database.read { db in
            try String.fetchAll(
                db,
                sql: """
                    SELECT DISTINCT node FROM jobs WHERE state IN ('assigned', 'running') AND node IS NOT NULL
                        AND published IS NULL AND json_extract(spec, '$.onPartition') = ?
                    """, arguments: [stop.rawValue])
        }
        let (nodes, heldBack) = contacts.overdue(of: holders)
        var round = LeaseRound(heldBack: heldBack)
        for node in nodes {
            round.returned += try await takeBack(from: node, stop)
            contacts.lose(node)
        }
        return round
    }

    /// Has everything that `node` was given be done elsewhere: an operator says that it is lost. What it still does, and says, counts no more.
    ///
    /// - Returns: the jobs.
    package func lose(_ node: String) async throws -> [String] {
        guard try await nodes().contains(where: { $0.node == node }) else {
            throw StoreError(kind: .notFound, message: "no node \(node.prefix(140))")
        }
        let jobs = try await takeBack(from: node, nil)
        contacts.lose(node)
        changedPlans()
        return jobs
    }

    /// - Parameter policy: of which jobs; nil: all.
    private func takeBack(from node: String, _ policy: JobSpec.OnPartition?) async throws -> [String] {
        defer { changedPlans() }
        return try await database.write { db in
            let jobs = try Row.fetchAll(
                db,
                sql: """
                    SELECT * FROM jobs WHERE node = ? AND state IN ('assigned', 'running')
                        AND (? IS NULL OR published IS NULL AND json_extract(spec, '$.onPartition') = ?) ORDER BY number
                    """, arguments: [node, policy?.rawValue, policy?.rawValue])
            for row in jobs { try Self.queueAgain(row, db) }
            return jobs.map { $0["id"] }
        }
    }

    /// A job ended itself for its lease, before anybody took it from its node.
    ///
    /// - Returns: false where it is not the node's any more, or has no such lease.
    static func giveBack(_ attempt: JobAttempt, from node: String, _ db: Database) throws -> Bool {
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT * FROM jobs WHERE id = ? AND attempt = ? AND node = ? AND state IN ('assigned', 'running')
                    AND json_extract(spec, '$.onPartition') = 'stop'
                """, arguments: [attempt.job, attempt.attempt, node])
        guard let row else { return false }
        try queueAgain(row, db)
        return true
    }

    /// As another attempt; one that was to be cancelled is, now.
    static func queueAgain(_ row: Row, _ db: Database) throws {
        let (id, isCancelled): (String, Bool) = (row["id"], row["cancel_requested"])
        try record(.returned, ofJob: id, db)
        try db.execute(
            sql: """
                UPDATE jobs SET node = NULL, boot_id = NULL, attempt = attempt + 1, started_at = NULL, published = NULL,
                    state = ?, finished_at = ? WHERE id = ?
                """, arguments: [isCancelled ? "cancelled" : "queued", isCancelled ? now() : nil, id])
        if isCancelled { try record(.finished, ofJob: id, db) }
    }

    /// Whether something else has taken the place of what `node` has. A job that nobody knows, after a restore, is replaced by nothing.
    static func isReplaced(_ attempt: JobAttempt, on node: String, _ db: Database) throws -> Bool {
        guard
            let row = try Row.fetchOne(db, sql: "SELECT node, attempt FROM jobs WHERE id = ?", arguments: [attempt.job])
        else { return false }
        let (current, holder): (Int, String?) = (row["attempt"], row["node"])
        return current != attempt.attempt || holder != node
    }

    /// Lets `node` put the output of `attempt` in its place: once decided nobody else may, and the job is not given away any more.
    ///
    /// - Throws: `StoreError` (`conflict`) where another attempt has taken its place.
    package func publish(_ attempt: JobAttempt, from node: String) async throws {
        contacts.heard(from: node)
        try await database.write { db in
            if try Self.isReplaced(attempt, on: node, db) {
                throw StoreError(
                    kind: .conflict,
                    message:
                        "attempt \(attempt.attempt) of \(attempt.job.prefix(140)) is no longer \(node.prefix(140))'s")
            }
            try db.execute(
                sql: "UPDATE jobs SET published = ? WHERE id = ? AND attempt = ?",
                arguments: [attempt.attempt, attempt.job, attempt.attempt])
        }
    }
}
