import Foundation
import GRDB
import HearthFleet
import HearthStore

/// How busy nodes were: as they said it for some hours, then one of each minute, then one of each hour.
extension CoordinatorStore {
    static let loadSchema = """
        CREATE TABLE loads(
            node TEXT NOT NULL, width INTEGER NOT NULL, at REAL NOT NULL, body TEXT NOT NULL, PRIMARY KEY(node, width, at));
        """

    /// From which age on samples of `width` seconds (0: as they came) become ones of `next`.
    private static let loadLevels: [(width: Int, next: Int, age: Double)] = [
        (0, 60, 6 * 3600), (60, 3600, 3 * 86400),
    ]

    /// Keeps samples of `node`; those that it has already, and those that cannot be, change nothing.
    package func store(_ batch: LoadBatch, from node: String) async throws {
        let now = Self.now()
        let rows = try batch.samples.filter { $0.isPlausible(now: now) }.map { ($0.at, try JSONColumn.encode($0)) }
        try await database.write { db in
            try Self.requireRegistered(node, db)
            for (at, body) in rows {
                try db.execute(sql: "INSERT OR IGNORE INTO loads VALUES (?, 0, ?, ?)", arguments: [node, at, body])
            }
        }
    }

    /// What is known of `node` since `start`, oldest first: one for every `width` seconds, or as coarse as it is kept.
    package func loads(of node: String, since start: Double, everySeconds width: Double) async throws -> [LoadSample] {
        let samples = try await database.read { db in
            guard try String.fetchOne(db, sql: "SELECT node FROM nodes WHERE node = ?", arguments: [node]) != nil else {
                throw StoreError(kind: .notFound, message: "no node \(node.prefix(140))")
            }
            return try Self.loads(
                db, "SELECT body FROM loads WHERE node = ? AND at BETWEEN ? AND ? ORDER BY at",
                [node, start, Self.now()])
        }
        return LoadSample.merged(samples, everySeconds: width)
    }

    /// Makes old samples coarser and forgets those older than `seconds`. A transaction a node, so that reports need not wait for all of them.
    ///
    /// - Returns: how many rows went.
    func compactLoads(olderThan seconds: Double, now: Double) async throws -> Int {
        var gone = 0
        for node in try await database.read({ try String.fetchAll($0, sql: "SELECT node FROM nodes") }) {
            gone += try await database.write { db in
                var gone = 0
                for level in Self.loadLevels {
                    // Whole windows only.
                    let end = ((now - level.age) / Double(level.next)).rounded(.down) * Double(level.next)
                    let key: StatementArguments = [node, level.width, end]
                    let old = try Self.loads(
                        db, "SELECT body FROM loads WHERE node = ? AND width = ? AND at <= ? ORDER BY at", key)
                    let fewer = LoadSample.merged(old, everySeconds: Double(level.next))
                    try db.execute(sql: "DELETE FROM loads WHERE node = ? AND width = ? AND at <= ?", arguments: key)
                    for sample in fewer {
                        try db.execute(
                            sql: "INSERT OR IGNORE INTO loads VALUES (?, ?, ?, ?)",
                            arguments: [node, level.next, sample.at, try JSONColumn.encode(sample)])
                    }
                    gone += old.count - fewer.count
                }
                try db.execute(sql: "DELETE FROM loads WHERE node = ? AND at < ?", arguments: [node, now - seconds])
                return gone + db.changesCount
            }
        }
        return gone
    }

    private static func loads(_ db: Database, _ sql: String, _ arguments: StatementArguments) throws -> [LoadSample] {
        try String.fetchAll(db, sql: sql, arguments: arguments).map { try JSONColumn.decode(LoadSample.self, $0) }
    }
}
