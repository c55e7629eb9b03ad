import Foundation
import GRDB

extension CoordinatorStore {
    /// What is kept only for a while.
    package struct Kept: Sendable, Equatable {
        package let reports, logs, ceilings, loads: Int

        package init(reports: Int, logs: Int, ceilings: Int, loads: Int) {
            (self.reports, self.logs, self.ceilings, self.loads) = (reports, logs, ceilings, loads)
        }
    }

    /// Ceilings of the last days are kept as they came, then one of each hour, then one of each day.
    private static let (asTheyCame, hourly) = (7 * 86400.0, 90 * 86400.0)
    private static let (hour, day) = (3600.0, 86400.0)

    /// Forgets reports, logs of ended jobs and loads that are older than `seconds`, and thins out old ceilings and loads. Jobs, the ledger and which reports
    /// were stored (watermarks) stay: what is sent again is known again.
    ///
    /// - Returns: how many rows went.
    package func retain(seconds: Double, now: Double) async throws -> Kept {
        let (reports, logs, ceilings) = try await database.write { db in
            func count(_ sql: String, _ arguments: StatementArguments) throws -> Int {
                try db.execute(sql: sql, arguments: arguments)
                return db.changesCount
            }
            let reports = try count("DELETE FROM reports WHERE received_at < ?", [now - seconds])
            let logs = try count(
                "DELETE FROM logs WHERE job IN (SELECT id FROM jobs WHERE finished_at < ?)", [now - seconds])
            var ceilings = 0
            for (age, window) in [(Self.asTheyCame, Self.hour), (Self.hourly, Self.day)] {
                ceilings += try count(
                    """
                    DELETE FROM ceilings WHERE measured_at < ? AND measured_at <> (
                        SELECT MAX(measured_at) FROM ceilings AS same WHERE same.node = ceilings.node
                            AND same.device = ceilings.device
                            AND CAST(same.measured_at / ? AS INTEGER) = CAST(ceilings.measured_at / ? AS INTEGER))
                    """, [now - age, window, window])
            }
            return (reports, logs, ceilings)
        }
        let loads = try await compactLoads(olderThan: seconds, now: now)
        return Kept(reports: reports, logs: logs, ceilings: ceilings, loads: loads)
    }
}
