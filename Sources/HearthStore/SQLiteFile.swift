import Foundation
import GRDB
import HearthFleet

/// Opens the SQLite files of both daemons in one way.
public enum SQLiteFile {
    /// WAL, synchronous=FULL, checked before use, migrated.
    ///
    /// - Throws: `ConfigError` saying what is wrong with the file and what to do; the file is left as it was.
    public static func open(_ path: String, migrator: DatabaseMigrator) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
        }
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            let verdict = try queue.read { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") } ?? "no answer"
            guard verdict == "ok" else { throw ConfigError(damaged(path, verdict)) }
            if try queue.read(migrator.hasBeenSuperseded) {
                throw ConfigError(
                    "\(path): was written by a newer version of Hearth; install that one, or restore a backup")
            }
            try migrator.migrate(queue)
            return queue
        } catch let error as DatabaseError where [.SQLITE_NOTADB, .SQLITE_CORRUPT].contains(error.resultCode) {
            throw ConfigError(damaged(path, error.message ?? "not a database"))
        } catch let error as DatabaseError {
            throw ConfigError("\(path): cannot be opened: \(error.message ?? "SQLite error \(error.resultCode)")")
        }
    }

    private static func damaged(_ path: String, _ reason: String) -> String {
        "\(path): the database is damaged (\(reason)); restore a backup, or move the file away to start empty"
    }
}
