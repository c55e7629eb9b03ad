import Foundation
import GRDB
import HearthFleet
import HearthPolicy
import HearthRoofline
import HearthStore
import Synchronization

/// Everything the coordinator knows, in one SQLite file: WAL, and an acknowledged write is on disk.
public final class CoordinatorStore: Sendable {
    let database: DatabaseQueue
    /// What is known of data; nil: where it may be is left to the nodes.
    let labels: LabelCache?
    let prices: PriceList
    let plans = PlanCache()
    let bars: BarList
    package let contacts: Contacts
    let reportQueue: ReportQueue
    private let currentEpoch = Atomic<Int64>(0)
    /// Everything that may give a node something to do.
    let steps = StepSignal()

    /// Opens or makes `coordinator.sqlite` in `folder`.
    ///
    /// - Throws: `ConfigError` when the file is damaged or cannot be opened; nothing is changed then.
    public init(
        folder: String, labels: LabelFolder? = nil, prices: PriceList = PriceList(), leaseSeconds: Double = 60
    ) throws {
        self.labels = labels.map { LabelCache($0) }
        self.prices = prices
        try StateFolder.prepare(folder)
        database = try SQLiteFile.open("\(folder)/coordinator.sqlite", migrator: Self.migrator)
        // Those that were heard from in the last minute that the coordinator was there, whatever the clock says now.
        let nodes = try database.read { db in
            try String.fetchAll(
                db, sql: "SELECT node FROM nodes WHERE last_seen_at > (SELECT MAX(last_seen_at) FROM nodes) - 60")
        }
        bars = try database.read { try BarList($0) }
        contacts = Contacts(leaseSeconds: leaseSeconds, nodes: nodes)
        reportQueue = ReportQueue(database) { [prices] batch, db in
            try Self.store(batch.reports, from: batch.node, prices, db)
        }
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("v1") { db in
            try db.execute(
                sql: """
                    CREATE TABLE nodes(
                        node TEXT PRIMARY KEY, boot_id TEXT NOT NULL, version TEXT NOT NULL, devices TEXT NOT NULL,
                        health TEXT NOT NULL, evidence TEXT, registered_at REAL NOT NULL, last_seen_at REAL NOT NULL);
                    CREATE TABLE watermarks(
                        node TEXT NOT NULL, boot_id TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(node, boot_id));
                    CREATE TABLE reports(
                        node TEXT NOT NULL, boot_id TEXT NOT NULL, seq INTEGER NOT NULL, at REAL NOT NULL,
                        received_at REAL NOT NULL, body TEXT NOT NULL, PRIMARY KEY(node, boot_id, seq));
                    CREATE TABLE gaps(
                        node TEXT NOT NULL, boot_id TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
                        at REAL NOT NULL);
                    CREATE TABLE ceilings(
                        node TEXT NOT NULL, device TEXT NOT NULL, measured_at REAL NOT NULL, body TEXT NOT NULL,
                        PRIMARY KEY(node, device, measured_at));
                    CREATE TABLE jobs(
                        id TEXT PRIMARY KEY, number INTEGER UNIQUE NOT NULL, spec TEXT NOT NULL, state TEXT NOT NULL,
                        node TEXT, boot_id TEXT, attempt INTEGER NOT NULL, submitted_at REAL NOT NULL, started_at REAL,
                        finished_at REAL, outcome TEXT, cancel_requested INTEGER NOT NULL DEFAULT 0,
                        submission_key TEXT UNIQUE);
                    CREATE INDEX jobs_by_state ON jobs(state, number);
                    CREATE TABLE logs(
                        job TEXT NOT NULL, attempt INTEGER NOT NULL, offset INTEGER NOT NULL, text BLOB NOT NULL,
                        PRIMARY KEY(job, attempt, offset));
                    """)
        }
        migrator.registerMigration("v2") { try $0.execute(sql: ledgerSchema) }
        migrator.registerMigration("v3") { try $0.execute(sql: "ALTER TABLE nodes ADD COLUMN site TEXT") }
        migrator.registerMigration("v4") { try $0.execute(sql: placementSchema) }
        migrator.registerMigration("v5") { try $0.execute(sql: invitationSchema) }
        migrator.registerMigration("v6") { try $0.execute(sql: dataSchema) }
        migrator.registerMigration("v7") { try $0.execute(sql: "ALTER TABLE nodes ADD COLUMN drained TEXT") }
        migrator.registerMigration("v8") {
            try $0.execute(sql: "CREATE TABLE restores(mark TEXT NOT NULL, at REAL NOT NULL)")
        }
        migrator.registerMigration("v9") { try $0.execute(sql: leaseSchema) }
        migrator.registerMigration("v10") { try $0.execute(sql: loadSchema) }
        migrator.registerMigration("v11") { try $0.execute(sql: barSchema) }
        migrator.registerMigration("v12") { try $0.execute(sql: powerSchema) }
        return migrator
    }

    /// This start's number; 0 where nothing was begun.
    package var epoch: Int64 { currentEpoch.load(ordering: .acquiring) }

    /// Begins to serve: later than every start before, of a copy or a backup of this state, too, as far as clocks are right.
    package func beginEpoch() async throws {
        let epoch = try await database.write { db in
            let previous = try Int64.fetchOne(db, sql: "SELECT MAX(epoch) FROM epochs") ?? 0
            let epoch = max(previous + 1, Int64(Self.now() * 1000))
            try db.execute(sql: "INSERT INTO epochs VALUES (?, ?)", arguments: [epoch, Self.now()])
            return epoch
        }
        currentEpoch.store(epoch, ordering: .releasing)
    }

    /// What plans are made from is other than it was.
    func changedPlans() {
        plans.forget()
        steps.advance()
    }

    static func now() -> Double { Date().timeIntervalSince1970 }
}

/// A request that the store's contents do not allow.
public struct StoreError: Error, Sendable {
    public enum Kind: Sendable { case notFound, conflict, busy }
    public let kind: Kind
    public let message: String
}
