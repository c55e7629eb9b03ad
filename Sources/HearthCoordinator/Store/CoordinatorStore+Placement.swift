import Foundation
import GRDB
import HearthFleet
import HearthPlacement
import HearthRoofline
import HearthStore

extension CoordinatorStore {
    static let placementSchema = """
        ALTER TABLE jobs ADD COLUMN placement TEXT;
        ALTER TABLE jobs ADD COLUMN cost REAL;
        CREATE TABLE kernel_times(
            id INTEGER PRIMARY KEY, node TEXT NOT NULL, device TEXT NOT NULL, kernel TEXT NOT NULL, body TEXT NOT NULL);
        CREATE INDEX kernel_times_by_kernel ON kernel_times(kernel, node, device, id);
        """

    static let powerSchema = """
        CREATE TABLE device_power(node TEXT NOT NULL, device TEXT NOT NULL, watts REAL NOT NULL, PRIMARY KEY(node, device));
        """

    /// Times of one kernel that are kept of a device, and candidates of one decision.
    private static let (keptTimes, keptCandidates) = (256, 50)
    /// A job that lasts as long or longer counts as much as all before it.
    private static let powerSeconds = 600.0

    /// Where every queued job is to go, as things are now.
    ///
    /// As it was made less than a second ago, where no job has taken a step since.
    static func plan(_ placement: Placement, _ db: Database) throws -> [PlacementDecision] {
        let mark = try Int64.fetchOne(db, sql: "SELECT MAX(number) FROM ledger") ?? -1
        return try placement.plans.plan(mark) { try freshPlan(placement, db) }
    }

    private static func freshPlan(_ placement: Placement, _ db: Database) throws -> [PlacementDecision] {
        let rows = try Row.fetchAll(db, sql: "SELECT * FROM jobs WHERE state = 'queued' ORDER BY number")
        if rows.isEmpty { return [] }
        let now = now()
        let jobs = try rows.map { row in
            let job = try job(row)
            return WaitingJob(
                job.id, job.spec, ageSeconds: now - job.submittedAt,
                dataByteCount: placement.dataByteCount(job.spec))
        }
        return placement.planner.plan(jobs, on: try placementNodes(for: jobs, placement.contacts, db))
    }

    private static func placementNodes(
        for jobs: [WaitingJob], _ contacts: Contacts, _ db: Database
    ) throws -> [PlacementNode] {
        var nodes = try nodes(db, contacts).map { PlacementNode($0) }
        let places = Dictionary(uniqueKeysWithValues: nodes.enumerated().map { ($1.record.node, $0) })
        for row in try Row.fetchAll(db, sql: "SELECT * FROM jobs WHERE state IN ('assigned', 'running')") {
            guard let place = (row["node"] as String?).flatMap({ places[$0] }) else { continue }
            let job = try job(row)
            let whole = Planner.occupied(job.spec, job.predictedSeconds)
            let elapsed = job.startedAt.map { max(0, now() - $0) } ?? 0
            // One that takes longer than was said is taken to last a tenth of it more.
            nodes[place].busySeconds += max(whole / 10, whole - elapsed)
        }
        for row in try Row.fetchAll(db, sql: "SELECT * FROM device_power") {
            if let place = places[row["node"]] { nodes[place].watts[row["device"]] = row["watts"] }
        }
        var kernels = Set(jobs.flatMap { $0.spec.estimate?.kernels.map(\.kernel) ?? [] })
        kernels.formUnion(jobs.map { JobEstimate.start(of: $0.spec.kind).kernel })
        for kernel in kernels {
            var times: [Int: [String: [KernelTime]]] = [:]
            for row in try Row.fetchAll(
                db, sql: "SELECT node, device, body FROM kernel_times WHERE kernel = ? ORDER BY id", arguments: [kernel]
            ) {
                guard let place = places[row["node"]] else { continue }
                times[place, default: [:]][row["device"], default: []].append(
                    try JSONColumn.decode(KernelTime.self, row["body"]))
            }
            for (place, devices) in times {
                for (device, times) in devices { nodes[place].histories[device, default: .init()].add(times) }
            }
        }
        return nodes
    }

    /// Gives `decision`'s job to its node.
    static func assign(_ decision: PlacementDecision, to row: Row, _ db: Database) throws {
        try db.execute(
            sql:
                "UPDATE jobs SET state = 'assigned', node = ?, boot_id = ?, placement = ? WHERE id = ? AND state = 'queued'",
            arguments: [
                row["node"] as String, row["boot_id"] as String,
                try JSONColumn.encode(decision.shortened(to: keptCandidates)), decision.job,
            ])
        guard db.changesCount == 1 else { return }
        try record(.assigned, ofJob: decision.job, because: decision, db)
    }

    static func decision(_ row: Row) throws -> PlacementDecision? {
        try (row["placement"] as String?).map { try JSONColumn.decode(PlacementDecision.self, $0) }
    }

    /// Why a job went where it is, or, while it waits, where it would go now.
    package func placement(of id: String) async throws -> PlacementDecision {
        let placement = self.placement
        return try await database.read { db in
            guard let row = try Row.fetchOne(db, sql: "SELECT * FROM jobs WHERE id = ?", arguments: [id]) else {
                throw StoreError(kind: .notFound, message: "no job \(id)")
            }
            if row["state"] == "queued", let planned = try Self.plan(placement, db).first(where: { $0.job == id }) {
                return planned.shortened(to: Self.keptCandidates)
            }
            if let decision = try Self.decision(row) { return decision }
            throw StoreError(kind: .notFound, message: "\(id) ended before it was placed")
        }
    }

    /// Remembers what the kernels of a job took and what the node drew, for predictions and prices.
    static func learn(from outcome: JobOutcome, ofJob id: String, on node: String, _ db: Database) throws {
        guard outcome.exitCode == 0, let device = outcome.device,
            let row = try Row.fetchOne(db, sql: "SELECT * FROM jobs WHERE id = ?", arguments: [id])
        else { return }
        let kind = try job(row).spec.kind
        // What a server draws is mostly its waiting.
        if kind != .serve, let watts = outcome.watts {
            try learn(watts, overSeconds: outcome.actualSeconds, of: device, on: node, db)
        }
        let kernels = outcome.kernels ?? []
        let rest = outcome.actualSeconds - kernels.reduce(0) { $0 + $1.seconds }
        let start = KernelTime(JobEstimate.start(of: kind), seconds: max(0, rest))
        for time in kernels.isEmpty ? [] : kernels + [start] {
            let key: StatementArguments = [node, device, time.work.kernel]
            try db.execute(
                sql: "INSERT INTO kernel_times(node, device, kernel, body) VALUES (?, ?, ?, ?)",
                arguments: key + [try JSONColumn.encode(time)])
            try db.execute(
                sql: """
                    DELETE FROM kernel_times WHERE node = ? AND device = ? AND kernel = ? AND id <= (
                        SELECT id FROM kernel_times WHERE node = ? AND device = ? AND kernel = ?
                        ORDER BY id DESC LIMIT 1 OFFSET ?)
                    """, arguments: key + key + [keptTimes])
        }
    }

    /// The longer a job, the more its power counts, up to half.
    private static func learn(
        _ watts: Double, overSeconds seconds: Double, of device: String, on node: String, _ db: Database
    ) throws {
        try db.execute(
            sql: """
                INSERT INTO device_power VALUES (:node, :device, :watts)
                ON CONFLICT DO UPDATE SET watts = watts + (:watts - watts) * :weight
                """,
            arguments: [
                "node": node, "device": device, "watts": watts,
                "weight": min(0.5, seconds / (seconds + powerSeconds)),
            ])
    }

    /// What the job `id` cost on `node`; nil where its site has no price.
    static func cost(
        ofJob id: String, on node: String, _ outcome: JobOutcome, _ prices: PriceList, _ db: Database
    ) throws -> Double? {
        guard let price = try site(of: node, db).flatMap({ prices.sites[$0.name] }),
            let job = try Row.fetchOne(db, sql: "SELECT placement FROM jobs WHERE id = ?", arguments: [id])
        else { return nil }
        let candidate = try decision(job)?.candidate
        return price.cost(
            seconds: outcome.actualSeconds, measuredWatts: outcome.watts ?? candidate?.measuredWatts,
            movedByteCount: candidate?.movedByteCount ?? 0)
    }
}
