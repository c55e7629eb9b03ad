import Foundation
import GRDB
import HearthFleet
import HearthStore
import Synchronization

/// The agent's memory: the spool of reports and the jobs it has taken on, in one SQLite file so that both change in one
/// transaction.
public final class AgentStore: Sendable {
    let database: DatabaseQueue
    private let watchers = Mutex<[AsyncStream<Void>.Continuation]>([])
    /// Names this spool; made when the file is.
    public let bootID: String

    /// A job this node has taken on and not finished.
    struct ActiveJob: Sendable {
        enum State: String { case starting, running, revoked }
        let assignment: Assignment
        var state: State
        /// Bytes of the log file that are in the spool, and bytes of text they became.
        var fileOffset: Int
        var logOffset: Int
        /// `MonotonicClock.seconds` when it was taken on: no clock that someone can set.
        let takenOnAt: Double
    }

    /// Opens or makes `agent.sqlite`. - Throws: `ConfigError` when it is damaged or cannot be used.
    public init(folder: String) throws {
        database = try SQLiteFile.open("\(folder)/agent.sqlite", migrator: Self.migrator)
        bootID = try database.write { db in
            if let known = try String.fetchOne(db, sql: "SELECT value FROM meta WHERE key = 'boot_id'") { return known }
            let made = UUID().uuidString
            try db.execute(sql: "INSERT INTO meta VALUES ('boot_id', ?)", arguments: [made])
            return made
        }
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("v1") { db in
            try db.execute(
                sql: """
                    CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);
                    CREATE TABLE spool(seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, body TEXT NOT NULL);
                    CREATE TABLE jobs(
                        job TEXT NOT NULL, attempt INTEGER NOT NULL, spec TEXT NOT NULL, state TEXT NOT NULL,
                        file_offset INTEGER NOT NULL, log_offset INTEGER NOT NULL, taken_on_at REAL NOT NULL,
                        PRIMARY KEY(job, attempt));
                    """)
        }
        migrator.registerMigration("v2") {
            try $0.execute(sql: "CREATE TABLE loads(at REAL PRIMARY KEY, body TEXT NOT NULL)")
        }
        return migrator
    }

    private static func enqueue(_ body: ReportBody, _ db: Database) throws {
        let json = try JSONColumn.encode(body)
        try db.execute(
            sql: "INSERT INTO spool(at, body) VALUES (?, ?)", arguments: [Date().timeIntervalSince1970, json])
    }

    /// One element at once, and one after changes of the spool or of jobs: when to look again. For services, which live as long as the store.
    func changes() -> AsyncStream<Void> {
        let (stream, watcher) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        watcher.yield()
        watchers.withLock { $0.append(watcher) }
        return stream
    }

    /// Writes, and says so once it is committed.
    private func write<Value: Sendable>(_ body: @Sendable @escaping (Database) throws -> Value) async throws -> Value {
        let value = try await database.write(body)
        watchers.withLock { watchers in for watcher in watchers { watcher.yield() } }
        return value
    }

    // MARK: Spool

    func enqueue(_ body: ReportBody) async throws { try await write { try Self.enqueue(body, $0) } }

    /// The oldest reports that were not acknowledged.
    func pending(limit: Int) async throws -> [Report] {
        try await database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM spool ORDER BY seq LIMIT ?", arguments: [limit]).map { row in
                let body = try JSONColumn.decode(ReportBody.self, row["body"])
                return Report(seq: row["seq"], at: row["at"], body: body)
            }
        }
    }

    func forget(through watermark: Int64) async throws {
        try await write { try $0.execute(sql: "DELETE FROM spool WHERE seq <= ?", arguments: [watermark]) }
    }

    func pendingCount() async throws -> Int {
        try await database.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM spool")! }
    }

    // MARK: Small values

    func value(_ key: String) async throws -> String? {
        try await database.read {
            try String.fetchOne($0, sql: "SELECT value FROM meta WHERE key = ?", arguments: [key])
        }
    }

    func set(_ key: String, _ value: String) async throws {
        try await write {
            try $0.execute(
                sql: "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                arguments: [key, value])
        }
    }

    // MARK: Jobs

    /// Every job that has not been finished, `starting` ones included.
    func activeJobs() async throws -> [ActiveJob] {
        try await database.read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM jobs WHERE state IN ('starting', 'running', 'revoked') ORDER BY taken_on_at"
            )
            .map {
                let spec = try JSONColumn.decode(JobSpec.self, $0["spec"])
                return ActiveJob(
                    assignment: Assignment(job: $0["job"], attempt: $0["attempt"], spec: spec),
                    state: ActiveJob.State(rawValue: $0["state"]) ?? .running, fileOffset: $0["file_offset"],
                    logOffset: $0["log_offset"], takenOnAt: $0["taken_on_at"])
            }
        }
    }

    /// Remembers an assignment before anything is started. - Returns: false when it was taken on before.
    func takeOn(_ assignment: Assignment) async throws -> Bool {
        let spec = try JSONColumn.encode(assignment.spec)
        return try await write { db in
            try db.execute(
                sql: "INSERT OR IGNORE INTO jobs VALUES (?, ?, ?, 'starting', 0, 0, ?)",
                arguments: [assignment.job, assignment.attempt, spec, MonotonicClock.seconds])
            return db.changesCount == 1
        }
    }

    /// The process exists: said once, in the transaction that remembers it.
    func markRunning(_ assignment: Assignment) async throws {
        try await write { db in
            try db.execute(
                sql: "UPDATE jobs SET state = 'running' WHERE job = ? AND attempt = ? AND state = 'starting'",
                arguments: [assignment.job, assignment.attempt])
            if db.changesCount == 1 {
                try Self.enqueue(.jobStarted(job: assignment.job, attempt: assignment.attempt), db)
            }
        }
    }

    /// Spools a piece of log and moves the offsets past it together.
    func appendLog(_ job: ActiveJob, text: String, fileByteCount: Int) async throws {
        let (id, attempt) = (job.assignment.job, job.assignment.attempt)
        try await write { db in
            try db.execute(
                sql: "UPDATE jobs SET file_offset = ?, log_offset = ? WHERE job = ? AND attempt = ?",
                arguments: [job.fileOffset + fileByteCount, job.logOffset + text.utf8.count, id, attempt])
            try Self.enqueue(.jobLog(job: id, attempt: attempt, offset: job.logOffset, text: text), db)
        }
    }

    /// Something else has taken its place: it is to be ended, and nothing said of it.
    func revoke(_ attempt: JobAttempt) async throws {
        try await write { db in
            try db.execute(
                sql: "UPDATE jobs SET state = 'revoked' WHERE job = ? AND attempt = ? AND state <> 'done'",
                arguments: [attempt.job, attempt.attempt])
        }
    }

    /// A coordinator that was restored asks for what was done already, and told to one that it does not remember.
    func sayAgain(_ assignment: Assignment) async throws {
        let outcome = JobOutcome(
            exitCode: 70, message: "it was done before; the coordinator's state does not know how it ended",
            actualSeconds: 0)
        try await write { db in
            let state = try String.fetchOne(
                db, sql: "SELECT state FROM jobs WHERE job = ? AND attempt = ?",
                arguments: [assignment.job, assignment.attempt])
            guard state == "done" else { return }
            try Self.enqueue(.jobFinished(job: assignment.job, attempt: assignment.attempt, outcome: outcome), db)
        }
    }

    /// Forgets a job of which nothing is to be said.
    func drop(_ assignment: Assignment) async throws {
        try await write { db in
            try db.execute(
                sql: "UPDATE jobs SET state = 'done' WHERE job = ? AND attempt = ?",
                arguments: [assignment.job, assignment.attempt])
        }
    }

    /// Ends a job: said once, in the transaction that forgets it is active.
    func finish(_ assignment: Assignment, _ outcome: JobOutcome) async throws {
        try await write { db in
            try db.execute(
                sql: "UPDATE jobs SET state = 'done' WHERE job = ? AND attempt = ? AND state <> 'done'",
                arguments: [assignment.job, assignment.attempt])
            if db.changesCount == 1 {
                try Self.enqueue(.jobFinished(job: assignment.job, attempt: assignment.attempt, outcome: outcome), db)
            }
        }
    }
}
