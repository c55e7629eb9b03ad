import Foundation
import GRDB
import HearthFleet
import HearthPlacement
import HearthStore

extension CoordinatorStore {
    /// Queues a job. The same `key` gives the same job again, so that a client may repeat a submission it is unsure of.
    package func submit(_ spec: JobSpec, key: String?) async throws -> JobRecord {
        defer { steps.advance() }
        return try await database.write { db in
            if let key,
                let known = try Row.fetchOne(db, sql: "SELECT * FROM jobs WHERE submission_key = ?", arguments: [key])
            {
                let job = try Self.job(known)
                guard job.spec == spec else {
                    throw StoreError(
                        kind: .conflict, message: "Idempotency-Key \(key) belongs to another spec (\(job.id))")
                }
                return job
            }
            let number = try Int.fetchOne(db, sql: "SELECT IFNULL(MAX(number), 0) + 1 FROM jobs")!
            // After a restore numbers come again that nodes may know already: they get a mark.
            let mark = try String.fetchOne(db, sql: "SELECT mark FROM restores ORDER BY rowid DESC LIMIT 1")
            let id = "job-\(number)" + (mark.map { "-\($0)" } ?? "")
            let job = JobRecord(id: id, spec: spec, state: .queued, attempt: 1, submittedAt: Self.now())
            try db.execute(
                sql: """
                    INSERT INTO jobs(id, number, spec, state, attempt, submitted_at, submission_key)
                    VALUES (?, ?, ?, 'queued', 1, ?, ?)
                    """, arguments: [job.id, number, try JSONColumn.encode(spec), job.submittedAt, key])
            try Self.record(.submitted, of: job, db)
            return job
        }
    }

    /// Jobs from now on have other ids than those that were submitted between the backup and now.
    func markRestored() async throws {
        let mark = String(UInt32.random(in: 0...UInt32.max), radix: 36)
        try await database.write {
            try $0.execute(sql: "INSERT INTO restores VALUES (?, ?)", arguments: [mark, Self.now()])
            // What waited then may have been given to a node since, which would know it again.
            try $0.execute(sql: "UPDATE jobs SET attempt = attempt + 1 WHERE state = 'queued'")
        }
    }

    /// Jobs, newest first.
    ///
    /// - Parameter node: whose; nil: all.
    package func jobs(on node: String? = nil, limit: Int = 200) async throws -> [JobRecord] {
        try await database.read { [placement] db in
            let records = try Row.fetchAll(
                db, sql: "SELECT * FROM jobs WHERE ? IS NULL OR node = ? ORDER BY number DESC LIMIT ?",
                arguments: [node, node, limit]
            ).map(Self.job)
            let plan = records.contains { $0.state == .queued } ? try Self.plan(placement, db) : []
            return records.map { Self.explainWaiting($0, plan) }
        }
    }

    package func job(_ id: String) async throws -> JobRecord {
        try await database.read { [placement] db in
            let row = try Row.fetchOne(db, sql: "SELECT * FROM jobs WHERE id = ?", arguments: [id]).map(Self.job)
            guard let row else { throw StoreError(kind: .notFound, message: "no job \(id)") }
            return row.state == .queued ? Self.explainWaiting(row, try Self.plan(placement, db)) : row
        }
    }

    /// A queued job is cancelled at once, a running one when its node has ended it.
    package func cancel(_ id: String) async throws -> JobRecord {
        let now = Self.now()
        defer { steps.advance() }
        try await database.write { db in
            try db.execute(sql: "UPDATE jobs SET cancel_requested = 1 WHERE id = ?", arguments: [id])
            try db.execute(
                sql: "UPDATE jobs SET state = 'cancelled', finished_at = ? WHERE id = ? AND state = 'queued'",
                arguments: [now, id])
            if db.changesCount == 1 { try Self.record(.finished, ofJob: id, db) }
        }
        return try await job(id)
    }

    /// Signs of life, new assignments and cancellations of one node.
    ///
    /// Writes only where there is something to write: nodes ask all the time, and mostly for nothing.
    package func poll(_ node: String, _ request: PollRequest) async throws -> PollResponse {
        contacts.heard(from: node)
        let placement = self.placement
        let (found, isWanted) = try await database.read { db in
            guard let row = try Row.fetchOne(db, sql: "SELECT * FROM nodes WHERE node = ?", arguments: [node]) else {
                throw StoreError(kind: .notFound, message: "node \(node) is not registered")
            }
            let isStale = Self.now() - (row["last_seen_at"] as Double) > Contacts.rememberedEverySeconds
            let planned = try Self.planned(for: node, request, placement, db)
            return (try Self.work(of: node, request, placement, db), isStale || !planned.isEmpty)
        }
        guard isWanted else { return found }
        return try await database.write { db in
            try db.execute(sql: "UPDATE nodes SET last_seen_at = ? WHERE node = ?", arguments: [Self.now(), node])
            if let row = try Row.fetchOne(db, sql: "SELECT * FROM nodes WHERE node = ?", arguments: [node]) {
                for decision in try Self.planned(for: node, request, placement, db) {
                    try Self.assign(decision, to: row, db)
                }
            }
            return try Self.work(of: node, request, placement, db)
        }
    }

    var placement: Placement { Placement(labels: labels, prices: prices, plans: plans, contacts: contacts) }

    /// What a node should have and what it should end.
    private static func work(
        of node: String, _ request: PollRequest, _ placement: Placement, _ db: Database
    ) throws -> PollResponse {
        let assigned = try Row.fetchAll(
            db, sql: "SELECT * FROM jobs WHERE node = ? AND state = 'assigned' ORDER BY number", arguments: [node])
        return PollResponse(
            assignments: try assigned.map(job).map { Assignment(job: $0.id, attempt: $0.attempt, spec: $0.spec) },
            cancellations: try String.fetchAll(
                db, sql: "SELECT id FROM jobs WHERE node = ? AND cancel_requested AND state IN ('assigned', 'running')",
                arguments: [node]),
            revocations: try (request.active ?? []).filter { try isReplaced($0, on: node, db) },
            leaseSeconds: placement.contacts.leaseSeconds)
    }

    /// The oldest queued jobs that are to go to the node, as many as it can take.
    private static func planned(
        for node: String, _ request: PollRequest, _ placement: Placement, _ db: Database
    ) throws -> ArraySlice<PlacementDecision> {
        if request.capacity == 0 { return [] }
        let busy = try Int.fetchOne(
            db, sql: "SELECT COUNT(*) FROM jobs WHERE node = ? AND state = 'assigned'", arguments: [node])!
        let chosen = try plan(placement, db).filter { $0.chosen == node }.prefix(max(0, request.capacity - busy))
        if request.active != nil { return chosen }
        // An agent of before leases would not end a job that has one.
        return try chosen.filter { decision in
            try Bool.fetchOne(
                db, sql: "SELECT IFNULL(json_extract(spec, '$.onPartition'), 'keep') = 'keep' FROM jobs WHERE id = ?",
                arguments: [decision.job]) ?? false
        }[...]
    }

    private static func explainWaiting(_ job: JobRecord, _ plan: [PlacementDecision]) -> JobRecord {
        guard job.state == .queued, let decision = plan.first(where: { $0.job == job.id }) else { return job }
        var job = job
        job.predictedSeconds = decision.candidate?.predicted?.seconds
        let wait = decision.candidate?.waitSeconds ?? 0
        job.waitingFor =
            decision.chosen.map { node in
                wait > 0
                    ? "\(node), busy for about \(String(format: "%.0f", wait.rounded(.up))) s" : "\(node) to ask for it"
            } ?? decision.reason
        return job
    }

    static func job(_ row: Row) throws -> JobRecord {
        var job = JobRecord(
            id: row["id"], spec: try JSONColumn.decode(JobSpec.self, row["spec"]),
            state: JobState(rawValue: row["state"]) ?? .failed, attempt: row["attempt"],
            submittedAt: row["submitted_at"])
        job.node = row["node"]
        job.startedAt = row["started_at"]
        job.finishedAt = row["finished_at"]
        job.predictedSeconds = try decision(row)?.candidate?.predicted?.seconds
        job.cost = row["cost"]
        job.outcome = try (row["outcome"] as String?).map { try JSONColumn.decode(JobOutcome.self, $0) }
        return job
    }

    /// The log of the current attempt from byte `offset` on, at most about 1 MiB.
    package func log(_ id: String, from offset: Int) async throws -> LogChunk {
        try await database.read { db in
            guard let job = try Row.fetchOne(db, sql: "SELECT attempt, state FROM jobs WHERE id = ?", arguments: [id])
            else { throw StoreError(kind: .notFound, message: "no job \(id)") }
            let isFinal = JobState(rawValue: job["state"])?.isFinal ?? true
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT offset, text FROM logs WHERE job = ? AND attempt = ? AND offset + LENGTH(text) > ?
                    ORDER BY offset LIMIT 256
                    """, arguments: [id, job["attempt"] as Int, offset])
            var bytes: [UInt8] = []
            for row in rows {
                let (start, data): (Int, Data) = (row["offset"], row["text"])
                bytes += data.dropFirst(max(0, offset - start))
            }
            return LogChunk(
                text: String(decoding: bytes, as: UTF8.self), nextOffset: offset + bytes.count,
                isComplete: rows.isEmpty && isFinal)
        }
    }

    /// Jobs by state, for /metrics.
    package func jobCounts() async throws -> [JobState: Int] {
        try await database.read { db in
            var counts: [JobState: Int] = [:]
            for row in try Row.fetchAll(db, sql: "SELECT state, COUNT(*) AS n FROM jobs GROUP BY state") {
                counts[JobState(rawValue: row["state"]) ?? .failed] = row["n"]
            }
            return counts
        }
    }

    package func reportCount() async throws -> Int {
        try await database.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM reports")! }
    }
}
