import Foundation
import GRDB
import HearthFleet
import HearthStore

extension CoordinatorStore {
    /// Queues a job. The same `key` gives the same job again, so that a client may repeat a submission it is unsure of.
    package func submit(_ spec: JobSpec, key: String?) async throws -> JobRecord {
        try await database.write { db in
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
            let job = JobRecord(id: "job-\(number)", spec: spec, state: .queued, attempt: 1, submittedAt: Self.now())
            try db.execute(
                sql: """
                    INSERT INTO jobs(id, number, spec, state, attempt, submitted_at, submission_key)
                    VALUES (?, ?, ?, 'queued', 1, ?, ?)
                    """, arguments: [job.id, number, try JSONColumn.encode(spec), job.submittedAt, key])
            try Self.record(.submitted, of: job, db)
            return job
        }
    }

    /// Jobs, newest first.
    package func jobs(limit: Int = 200) async throws -> [JobRecord] {
        let (records, nodes) = (
            try await database.read { db in
                try Row.fetchAll(db, sql: "SELECT * FROM jobs ORDER BY number DESC LIMIT ?", arguments: [limit])
                    .map(Self.job)
            }, try await nodes()
        )
        return records.map { explainWaiting($0, nodes) }
    }

    package func job(_ id: String) async throws -> JobRecord {
        let row = try await database.read { db in
            try Row.fetchOne(db, sql: "SELECT * FROM jobs WHERE id = ?", arguments: [id]).map(Self.job)
        }
        guard let row else { throw StoreError(kind: .notFound, message: "no job \(id)") }
        return explainWaiting(row, try await nodes())
    }

    /// A queued job is cancelled at once, a running one when its node has ended it.
    package func cancel(_ id: String) async throws -> JobRecord {
        let now = Self.now()
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
    package func poll(_ node: String, _ request: PollRequest) async throws -> PollResponse {
        try await database.write { [placement] db in
            guard let row = try Row.fetchOne(db, sql: "SELECT * FROM nodes WHERE node = ?", arguments: [node]) else {
                throw StoreError(kind: .notFound, message: "node \(node) is not registered")
            }
            try db.execute(sql: "UPDATE nodes SET last_seen_at = ? WHERE node = ?", arguments: [Self.now(), node])
            try Self.assign(row, capacity: request.capacity, placement, db)
            let assigned = try Row.fetchAll(
                db, sql: "SELECT * FROM jobs WHERE node = ? AND state = 'assigned' ORDER BY number", arguments: [node])
            return PollResponse(
                assignments: try assigned.map(Self.job).map {
                    Assignment(job: $0.id, attempt: $0.attempt, spec: $0.spec)
                },
                cancellations: try String.fetchAll(
                    db,
                    sql: "SELECT id FROM jobs WHERE node = ? AND cancel_requested AND state IN ('assigned', 'running')",
                    arguments: [node]))
        }
    }

    private var placement: Placement { Placement(labels: labels) }

    /// First come, first served: the oldest queued jobs that may go to the node.
    private static func assign(_ row: Row, capacity: Int, _ placement: Placement, _ db: Database) throws {
        let (node, bootID): (String, String) = (row["node"], row["boot_id"])
        let devices = try JSONColumn.decode([DeviceSummary].self, row["devices"])
        let site = try site(row)
        let busy = try Int.fetchOne(
            db, sql: "SELECT COUNT(*) FROM jobs WHERE node = ? AND state = 'assigned'", arguments: [node])!
        var free = capacity - busy
        guard free > 0 else { return }
        let cursor = try Row.fetchCursor(db, sql: "SELECT * FROM jobs WHERE state = 'queued' ORDER BY number")
        var chosen: [(job: JobRecord, reason: String)] = []
        while free > 0, let row = try cursor.next() {
            let candidate = try job(row)
            let decision = placement.decide(candidate.spec, devices, at: site)
            if !decision.isAllowed { continue }
            chosen.append((candidate, decision.reason))
            free -= 1
        }
        for (job, reason) in chosen {
            try db.execute(
                sql: "UPDATE jobs SET state = 'assigned', node = ?, boot_id = ? WHERE id = ?",
                arguments: [node, bootID, job.id])
            try record(.assigned, ofJob: job.id, decision: reason, db)
        }
    }

    /// Software Vulkan devices count only when named.
    static func offers(_ devices: [DeviceSummary], _ wanted: String) -> Bool {
        switch wanted {
        case "auto": devices.contains { $0.unusable == nil }
        case "vulkan":
            devices.contains { $0.selector.hasPrefix("vulkan") && $0.kind != "software" && $0.unusable == nil }
        default: devices.contains { $0.selector == wanted && $0.unusable == nil }
        }
    }

    private func explainWaiting(_ job: JobRecord, _ nodes: [NodeRecord]) -> JobRecord {
        guard job.state == .queued else { return job }
        var job = job
        let connected = nodes.filter(\.isConnected)
        let refusals = connected.compactMap { node -> (String, String)? in
            let decision = placement.decide(job.spec, node.devices, at: node.site)
            return decision.isAllowed ? nil : (node.node, decision.reason)
        }
        if connected.isEmpty {
            job.waitingFor = "no node is connected"
        } else if !connected.contains(where: { Self.offers($0.devices, job.spec.device) }) {
            job.waitingFor = "no connected node has device \(job.spec.device)"
        } else if refusals.count == connected.count {
            job.waitingFor = "no node may take it: " + refusals.map { "\($0.0) \($0.1)" }.joined(separator: "; ")
        } else {
            job.waitingFor = "nodes that may take it are busy"
        }
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
        job.outcome = try (row["outcome"] as String?).map { try JSONColumn.decode(JobOutcome.self, $0) }
        return job
    }

    /// The log of the current attempt from byte `offset` on, at most about 1 MiB.
    package func log(_ id: String, from offset: Int) async throws -> LogChunk {
        let job = try await job(id)
        return try await database.read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT offset, text FROM logs WHERE job = ? AND attempt = ? AND offset + LENGTH(text) > ?
                    ORDER BY offset LIMIT 256
                    """, arguments: [id, job.attempt, offset])
            var bytes: [UInt8] = []
            for row in rows {
                let (start, data): (Int, Data) = (row["offset"], row["text"])
                bytes += data.dropFirst(max(0, offset - start))
            }
            return LogChunk(
                text: String(decoding: bytes, as: UTF8.self), nextOffset: offset + bytes.count,
                isComplete: rows.isEmpty && job.state.isFinal)
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
