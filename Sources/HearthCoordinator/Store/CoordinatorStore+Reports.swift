import Foundation
import GRDB
import HearthFleet
import HearthStore

extension CoordinatorStore {
    /// Stores a batch and its effects, all or nothing, each report once.
    ///
    /// The answer is sent after the commit, so what it acknowledges survives a crash; what was sent before and is sent
    /// again changes nothing.
    package func store(_ batch: ReportBatch, from node: String) async throws -> ReportAck {
        contacts.heard(from: node)
        let isOfTheNode = batch.reports.contains {
            switch $0.body {
            case .ceilings, .health: true
            case .jobFinished(_, _, let outcome): outcome.lostLease == true
            default: false
            }
        }
        defer { if isOfTheNode { changedPlans() } }
        return try await reportQueue.store((batch, node))
    }

    static func store(
        _ batch: ReportBatch, from node: String, _ prices: PriceList, _ db: Database
    ) throws -> ReportAck {
        try Self.requireRegistered(node, db)
        var watermark = try Self.watermark(db, node, batch.bootID)
        for report in batch.reports.sorted(by: { $0.seq < $1.seq }) where report.seq > watermark {
            if report.seq > watermark + 1 {
                // Only a coordinator that was restored from an old backup sees this: agents send every number.
                try db.execute(
                    sql: "INSERT INTO gaps VALUES (?, ?, ?, ?, ?)",
                    arguments: [node, batch.bootID, watermark + 1, report.seq - 1, Self.now()])
            }
            try db.execute(
                sql: "INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [
                    node, batch.bootID, report.seq, report.at, Self.now(), try JSONColumn.encode(report.body),
                ])
            try Self.apply(report, from: node, prices, db)
            watermark = report.seq
        }
        try db.execute(
            sql: "INSERT INTO watermarks VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq",
            arguments: [node, batch.bootID, watermark])
        try db.execute(sql: "UPDATE nodes SET last_seen_at = ? WHERE node = ?", arguments: [Self.now(), node])
        return ReportAck(watermark: watermark)
    }

    private static func apply(_ report: Report, from node: String, _ prices: PriceList, _ db: Database) throws {
        switch report.body {
        case .ceilings(let ceilings):
            if let problem = ceilings.problem {
                try db.execute(
                    sql: "UPDATE nodes SET health = 'suspect', evidence = ? WHERE node = ?",
                    arguments: ["reported ceilings of \(ceilings.device.prefix(80)) that cannot be: \(problem)", node])
                return
            }
            try db.execute(
                sql: "INSERT OR IGNORE INTO ceilings VALUES (?, ?, ?, ?)",
                arguments: [node, ceilings.device, ceilings.measuredAt, try JSONColumn.encode(ceilings)])
        case .health(let state, let evidence):
            try db.execute(
                sql: "UPDATE nodes SET health = ?, evidence = ? WHERE node = ?",
                arguments: [state.rawValue, evidence, node])
        case .jobStarted(let job, let attempt):
            try db.execute(
                sql: """
                    UPDATE jobs SET state = 'running', started_at = ?
                    WHERE id = ? AND attempt = ? AND node = ? AND state = 'assigned'
                    """, arguments: [report.at, job, attempt, node])
        case .jobLog(let job, let attempt, let offset, let text):
            try db.execute(
                sql: "INSERT OR IGNORE INTO logs SELECT ?, ?, ?, ? FROM jobs WHERE id = ? AND attempt = ? AND node = ?",
                arguments: [job, attempt, offset, Data(text.utf8), job, attempt, node])
        case .jobFinished(let job, let attempt, var outcome):
            // It becomes a leaf, which stays.
            outcome.message = outcome.message.map { String($0.prefix(4096)) }
            if outcome.figures.count > 1000 { outcome.figures = [:] }
            outcome.keepPlausible()
            if outcome.lostLease == true, try giveBack(JobAttempt(job: job, attempt: attempt), from: node, db) {
                return
            }
            let kernels = outcome.kernels
            outcome.kernels = nil
            let cost = try cost(ofJob: job, on: node, outcome, prices, db)
            // A job the user cancelled ends as cancelled, unless it had already succeeded.
            try db.execute(
                sql: """
                    UPDATE jobs SET finished_at = ?, outcome = ?, cost = ?, state = CASE
                        WHEN ? = 0 THEN 'succeeded' WHEN cancel_requested THEN 'cancelled' ELSE 'failed' END
                    WHERE id = ? AND attempt = ? AND node = ? AND state IN ('assigned', 'running')
                    """,
                arguments: [report.at, try JSONColumn.encode(outcome), cost, outcome.exitCode, job, attempt, node])
            if db.changesCount == 1 {
                try record(.finished, ofJob: job, db)
                try remember(outcome, ofJob: job, on: node, at: report.at, db)
                outcome.kernels = kernels
                try learn(from: outcome, ofJob: job, on: node, db)
            }
        }
    }
}
