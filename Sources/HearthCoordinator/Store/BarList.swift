import Foundation
import GRDB
import HearthFleet
import HearthIdentity
import Synchronization

/// Nodes whose keys are not trusted any more, say because a machine was stolen. Asked at every request of a node, so it is kept in memory.
final class BarList: Sendable {
    struct Bar: Sendable {
        let reason: String
        /// SHA-256 of the key that joined under the name since: it counts, and no other.
        var key: String?
    }

    private let bars: Mutex<[String: Bar]>

    init(_ db: Database) throws {
        let known = try Row.fetchAll(db, sql: "SELECT * FROM bars").map { row -> (String, Bar) in
            (row["node"], Bar(reason: row["reason"], key: row["key"]))
        }
        bars = Mutex(Dictionary(known) { $1 })
    }

    func set(_ node: String, _ bar: Bar?) { bars.withLock { $0[node] = bar } }

    /// Why what comes as `node` with `key` does not count; nil where it does.
    func problem(_ node: String, key: String?) -> String? {
        guard let bar = bars.withLock({ $0[node] }), bar.key == nil || bar.key != key else { return nil }
        return "node \(node) is barred: \(bar.reason)"
    }

    /// `node` joined with `key`, by an invitation of after the bar, if there is one.
    func joined(_ node: String, key: String, _ db: Database) throws {
        try db.execute(sql: "UPDATE bars SET key = ? WHERE node = ?", arguments: [key, node])
        bars.withLock { $0[node]?.key = key }
    }
}

extension CoordinatorStore {
    static let barSchema = """
        CREATE TABLE bars(node TEXT PRIMARY KEY, at REAL NOT NULL, reason TEXT NOT NULL, key TEXT);
        """

    /// Has nothing count that comes as `node`, until it joins anew: its key, and invitations of it that were not used. What it was given is given to
    /// others.
    ///
    /// - Returns: those jobs.
    package func bar(_ node: String, _ reason: String) async throws -> [String] {
        let isRegistered = try await database.write { [bars] db in
            func isIn(_ table: String) throws -> Bool {
                try Bool.fetchOne(
                    db, sql: "SELECT EXISTS(SELECT 1 FROM \(table) WHERE node = ?)", arguments: [node]) ?? false
            }
            let isRegistered = try isIn("nodes")
            guard try isRegistered || isIn("invitations") else {
                throw StoreError(kind: .notFound, message: "no node \(node.prefix(140))")
            }
            let now = Self.now()
            try db.execute(
                sql: "INSERT OR REPLACE INTO bars VALUES (?, ?, ?, NULL)", arguments: [node, now, reason])
            try db.execute(
                sql: "UPDATE invitations SET used_at = ? WHERE node = ? AND used_at IS NULL", arguments: [now, node])
            // One write after the other: memory and database agree.
            bars.set(node, .init(reason: reason))
            return isRegistered
        }
        return isRegistered ? try await lose(node) : []
    }

    /// What comes as `node` counts again, with the keys it had, too.
    package func unbar(_ node: String) async throws {
        try await database.write { [bars] db in
            try db.execute(sql: "DELETE FROM bars WHERE node = ?", arguments: [node])
            if db.changesCount == 0 { throw StoreError(kind: .notFound, message: "\(node.prefix(140)) is not barred") }
            bars.set(node, nil)
        }
        changedPlans()
    }
}
