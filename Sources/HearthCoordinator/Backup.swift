import Foundation
import GRDB
import HearthFleet
import HearthStore

/// Copies of a coordinator's state: its database, keys and token, and the checkpoint that they are held against.
public enum Backup {
    private static let database = "coordinator.sqlite"
    /// The checkpoint first: what it was signed over is then in the database, which is copied last.
    private static let others = [
        "ledger.checkpoint", "ledger.key", "ledger.pub", "authority.key", "authority.pem", "token",
    ]

    /// Copies the state folder into the new folder `target`, whether the coordinator runs or not.
    ///
    /// - Returns: how many leaves its ledger has.
    /// - Throws: `ConfigError`; there is no `target` then. A copy that a coordinator would not start with is none.
    public static func make(of state: String, in target: String) async throws -> Int {
        guard FileManager.default.fileExists(atPath: "\(state)/\(database)") else {
            throw ConfigError("\(state): holds no \(database)")
        }
        return try await copy(state, to: target) { try snapshot("\(state)/\(database)", "\($0)/\(database)") }
    }

    /// Makes `state` what the backup in `source` holds. - Returns: how many leaves its ledger has.
    ///
    /// - Throws: `ConfigError`, for a state folder that is there already too; nothing is there then that was not before.
    public static func restore(_ source: String, to state: String) async throws -> Int {
        guard FileManager.default.fileExists(atPath: "\(source)/\(database)") else {
            throw ConfigError("\(source): is no backup: it holds no \(database)")
        }
        if (try? FileManager.default.contentsOfDirectory(atPath: state))?.isEmpty == true {
            try? FileManager.default.removeItem(atPath: state)
        }
        let leaves = try await copy(source, to: state) { try duplicate("\(source)/\(database)", "\($0)/\(database)") }
        try await CoordinatorStore(folder: state).markRestored()
        return leaves
    }

    private static func copy(
        _ source: String, to target: String, database copyDatabase: (String) throws -> Void
    ) async throws -> Int {
        let clean = target.hasSuffix("/") ? String(target.dropLast()) : target
        guard !FileManager.default.fileExists(atPath: clean) else {
            throw ConfigError("\(clean): is there already, and is not written over")
        }
        let partial = clean + ".partial"
        try? FileManager.default.removeItem(atPath: partial)
        try StateFolder.prepare(partial)
        do {
            for name in others where FileManager.default.fileExists(atPath: "\(source)/\(name)") {
                try duplicate("\(source)/\(name)", "\(partial)/\(name)")
            }
            try copyDatabase(partial)
            let leaves = try await verified(partial)
            guard rename(partial, clean) == 0 else {
                throw ConfigError("\(clean): \(String(cString: strerror(errno)))")
            }
            return leaves
        } catch {
            try? FileManager.default.removeItem(atPath: partial)
            throw error
        }
    }

    /// With its permissions.
    private static func duplicate(_ from: String, _ to: String) throws(ConfigError) {
        do { try FileManager.default.copyItem(atPath: from, toPath: to) } catch {
            throw ConfigError("\(to): cannot be written: \(error.localizedDescription)")
        }
    }

    /// One moment of a database that may be in use.
    private static func snapshot(_ from: String, _ to: String) throws {
        do {
            try DatabaseQueue(path: from).writeWithoutTransaction {
                try $0.execute(sql: "VACUUM INTO ?", arguments: [to])
            }
            chmod(to, 0o600)
        } catch let error as DatabaseError {
            throw ConfigError("\(to): cannot be written: \(error.message ?? "SQLite error \(error.resultCode)")")
        }
    }

    /// As a coordinator looks at it when it starts.
    private static func verified(_ folder: String) async throws -> Int {
        let ledger = try Ledger(
            store: try CoordinatorStore(folder: folder), folder: folder, name: ProcessInfo.processInfo.hostName)
        try await ledger.start()
        return await ledger.count
    }
}
