import Foundation
import GRDB
import HearthFleet
import HearthPolicy
import HearthRoofline
import HearthStore

extension CoordinatorStore {
    /// A node joins or comes back. With a new boot id its spool is new: what it ran under the old one is gone.
    package func register(_ registration: NodeRegistration) async throws -> ReportAck {
        defer { changedPlans() }
        contacts.heard(from: registration.node)
        let now = Self.now()
        let devices = try JSONColumn.encode(registration.devices)
        return try await database.write { db in
            try db.execute(
                sql: """
                    INSERT INTO nodes(node, boot_id, version, devices, health, registered_at, last_seen_at, site)
                    VALUES (?, ?, ?, ?, 'starting', ?, ?, ?)
                    ON CONFLICT(node) DO UPDATE SET boot_id = excluded.boot_id, version = excluded.version,
                        devices = excluded.devices, last_seen_at = excluded.last_seen_at, site = excluded.site
                    """,
                arguments: [
                    registration.node, registration.bootID, registration.version, devices, now, now,
                    try registration.site.map { try JSONColumn.encode($0) },
                ])
            let lost = JobOutcome(
                exitCode: 70, message: "node \(registration.node) came back with an empty state folder",
                actualSeconds: 0)
            let abandoned = try String.fetchAll(
                db, sql: "SELECT id FROM jobs WHERE node = ? AND boot_id <> ? AND state = 'running' ORDER BY number",
                arguments: [registration.node, registration.bootID])
            for job in abandoned {
                try db.execute(
                    sql: "UPDATE jobs SET state = 'failed', finished_at = ?, outcome = ? WHERE id = ?",
                    arguments: [now, try JSONColumn.encode(lost), job])
                try Self.record(.finished, ofJob: job, db)
            }
            let untaken = try Row.fetchAll(
                db, sql: "SELECT * FROM jobs WHERE node = ? AND boot_id <> ? AND state = 'assigned' ORDER BY number",
                arguments: [registration.node, registration.bootID])
            for job in untaken { try Self.queueAgain(job, db) }
            return ReportAck(watermark: try Self.watermark(db, registration.node, registration.bootID))
        }
    }

    /// Has `node` take no new jobs, for `reason`; nil: has it take them again. What runs runs on.
    package func drain(_ node: String, _ reason: String?) async throws {
        defer { changedPlans() }
        try await database.write { db in
            try db.execute(sql: "UPDATE nodes SET drained = ? WHERE node = ?", arguments: [reason, node])
            if db.changesCount == 0 { throw StoreError(kind: .notFound, message: "no node \(node.prefix(140))") }
        }
    }

    /// Where `node` said that it is.
    static func site(of node: String?, _ db: Database) throws -> Site? {
        try Row.fetchOne(db, sql: "SELECT site FROM nodes WHERE node = ?", arguments: [node]).flatMap { try site($0) }
    }

    static func site(_ row: Row) throws -> Site? {
        try (row["site"] as String?).map { try JSONColumn.decode(Site.self, $0) }
    }

    static func watermark(_ db: Database, _ node: String, _ bootID: String) throws -> Int64 {
        try Int64.fetchOne(
            db, sql: "SELECT seq FROM watermarks WHERE node = ? AND boot_id = ?", arguments: [node, bootID]) ?? 0
    }

    /// - Throws: `StoreError` (`notFound`) where nobody registered as `node`.
    static func requireRegistered(_ node: String, _ db: Database) throws {
        guard try String.fetchOne(db, sql: "SELECT node FROM nodes WHERE node = ?", arguments: [node]) != nil else {
            throw StoreError(kind: .notFound, message: "node \(node) is not registered")
        }
    }

    /// Every node, by name.
    package func nodes() async throws -> [NodeRecord] {
        try await database.read { [contacts] in try Self.nodes($0, contacts) }
    }

    static func nodes(_ db: Database, _ contacts: Contacts) throws -> [NodeRecord] {
        var newest: [String: [Ceilings]] = [:]
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT node, body FROM ceilings c WHERE measured_at =
                    (SELECT MAX(measured_at) FROM ceilings WHERE node = c.node AND device = c.device) ORDER BY device
                """)
        for row in rows {
            newest[row["node"], default: []].append(try JSONColumn.decode(Ceilings.self, row["body"]))
        }
        return try Row.fetchAll(
            db,
            sql: """
                SELECT nodes.*, bars.reason AS barred FROM nodes
                LEFT JOIN bars ON bars.node = nodes.node AND bars.key IS NULL ORDER BY nodes.node
                """
        ).map { row in
            let name: String = row["node"]
            var record = NodeRecord(
                node: name, version: row["version"],
                devices: try JSONColumn.decode([DeviceSummary].self, row["devices"]),
                health: NodeHealth(rawValue: row["health"]) ?? .suspect, evidence: row["evidence"],
                registeredAt: row["registered_at"], lastSeenAt: row["last_seen_at"],
                isConnected: contacts.isConnected(name), ceilings: newest[name] ?? [])
            record.site = try Self.site(row)
            record.drained = row["drained"]
            record.barred = row["barred"]
            return record
        }
    }

    /// The ceilings of a node, or of all, over time, oldest first: what the dashboard charts.
    package func ceilingHistory(of node: String? = nil, limit: Int = 500) async throws -> [(
        node: String, ceilings: Ceilings
    )] {
        try await database.read { db in
            try Row.fetchAll(
                db,
                sql: "SELECT node, body FROM ceilings WHERE ? IS NULL OR node = ? ORDER BY measured_at DESC LIMIT ?",
                arguments: [node, node, limit]
            )
            .reversed().map { ($0["node"], try JSONColumn.decode(Ceilings.self, $0["body"])) }
        }
    }
}
