import Foundation
import GRDB
import HearthFleet
import Synchronization

/// Nodes whose keys are not trusted any more, say because a machine was stolen. Asked at every request of a node, so it is kept in memory.
final class BarList: Sendable {
    struct Bar: Sendable {
        let at: Double
        let reason: String
    }

    private let bars: Mutex<[String: Bar]>

    init(_ db: Database) throws {
        let known = try Row.fetchAll(db, sql: "SELECT * FROM bars").map { row -> (String, Bar) in
            (row["node"], Bar(at: row["at"], reason: row["reason"]))
        }
        bars = Mutex(Dictionary(known) { $1 })
    }

    func set(_ node: String, _ bar: Bar?) { bars.withLock { $0[node] = bar } }

    /// Why what comes as `node` does not count; nil where it does.
    ///
    /// - Parameter certifiedAt: when the certificate it came with was issued: one of a later join counts. nil: it came with none.
    func problem(_ node: String, certifiedAt: Double?) -> String? {
        guard let bar = bars.withLock({ $0[node] }), certifiedAt.map({ $0 <= bar.at }) ?? true else { return nil }
        return "node \(node) is barred: \(bar.reason)"
    }
}

extension CoordinatorStore {
    static let barSchema = """
        CREATE TABLE bars(node TEXT PRIMARY KEY, at REAL NOT NULL, reason TEXT NOT NULL, rejoined_at REAL);
        """

    /// Has nothing count that comes as `node`, until it joins anew: its certificates, and invitations of it that were not used. What it was given is given to
    /// others.
    ///
    /// - Returns: those jobs.
    package func bar(_ node: String, _ reason: String) async throws -> [String] {
        let now = Self.now()
        let isKnown = try await database.write { db in
            let isRegistered =
                try Bool.fetchOne(
                    db, sql: "SELECT EXISTS(SELECT 1 FROM nodes WHERE node = ?)", arguments: [node]) ?? false
            let isInvited =
                try Bool.fetchOne(
                    db, sql: "SELECT EXISTS(SELECT 1 FROM invitations WHERE node = ?)", arguments: [node]) ?? false
            guard isRegistered || isInvited else {
                throw StoreError(kind: .notFound, message: "no node \(node.prefix(140))")
            }
            try db.execute(
                sql: "INSERT OR REPLACE INTO bars VALUES (?, ?, ?, NULL)", arguments: [node, now, reason])
            try db.execute(
                sql: "UPDATE invitations SET expires_at = ? WHERE node = ? AND used_at IS NULL AND expires_at > ?",
                arguments: [now, node, now])
            return isRegistered
        }
        bars.set(node, .init(at: now, reason: reason))
        return isKnown ? try await lose(node) : []
    }

    /// What comes as `node` counts again, with the keys it had, too.
    package func unbar(_ node: String) async throws {
        try await database.write { db in
            try db.execute(sql: "DELETE FROM bars WHERE node = ?", arguments: [node])
            if db.changesCount == 0 { throw StoreError(kind: .notFound, message: "\(node.prefix(140)) is not barred") }
        }
        bars.set(node, nil)
        changedPlans()
    }
}
