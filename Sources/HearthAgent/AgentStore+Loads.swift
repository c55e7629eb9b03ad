import Foundation
import GRDB
import HearthFleet
import HearthStore

/// Samples of how busy the node is, until the coordinator has them. They are not in the spool: of them some may be missing.
extension AgentStore {
    /// Where more wait, neighbours become one: half as many, twice as long, up to an hour each. Then the oldest go, which is after months.
    private static let (mostLoads, longestSeconds) = (2000, 3600.0)

    /// - Parameter most: another bound, for tests.
    package func keep(_ samples: [LoadSample], most: Int = mostLoads) async throws {
        let rows = try samples.map { ($0.at, try JSONColumn.encode($0)) }
        try await database.write { db in
            for (at, body) in rows {
                try db.execute(sql: "INSERT OR REPLACE INTO loads VALUES (?, ?)", arguments: [at, body])
            }
            let count = try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM loads")!
            guard count > most else { return }
            // The newer half stays as it is.
            let old = try Self.loads(db, limit: count / 2)
            for first in stride(from: 0, to: old.count - 1, by: 2) {
                let pair = Array(old[first..<first + 2])
                guard pair[0].seconds + pair[1].seconds <= Self.longestSeconds, let one = LoadSample.merged(pair) else {
                    continue
                }
                try db.execute(sql: "DELETE FROM loads WHERE at = ?", arguments: [pair[0].at])
                try db.execute(
                    sql: "UPDATE loads SET body = ? WHERE at = ?", arguments: [try JSONColumn.encode(one), one.at])
            }
            try db.execute(
                sql: "DELETE FROM loads WHERE at NOT IN (SELECT at FROM loads ORDER BY at DESC LIMIT ?)",
                arguments: [most])
        }
    }

    /// The oldest.
    package func waitingLoads(limit: Int) async throws -> [LoadSample] {
        try await database.read { try Self.loads($0, limit: limit) }
    }

    /// The coordinator has them.
    package func forget(_ samples: [LoadSample]) async throws {
        try await database.write { db in
            for sample in samples { try db.execute(sql: "DELETE FROM loads WHERE at = ?", arguments: [sample.at]) }
        }
    }

    private static func loads(_ db: Database, limit: Int) throws -> [LoadSample] {
        try String.fetchAll(db, sql: "SELECT body FROM loads ORDER BY at LIMIT ?", arguments: [limit])
            .map { try JSONColumn.decode(LoadSample.self, $0) }
    }
}
