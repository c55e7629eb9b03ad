import GRDB
import HearthFleet

/// Batches of reports on their way into the database. What arrives while a commit is under way goes into the next one together: the disk's flush is paid once
/// for all of them (group commit), and each is answered when it is on the disk.
actor ReportQueue {
    typealias Batch = (reports: ReportBatch, node: String)

    private let database: DatabaseQueue
    private let apply: @Sendable (Batch, Database) throws -> ReportAck
    private var waiting: [(batch: Batch, ticket: Int)] = []
    /// Reports in what waits.
    private var waitingCount = 0
    private var results: [Int: Result<ReportAck, any Error>] = [:]
    private var nextTicket = 0
    private var isCommitting = false
    /// Resumed at the end of each commit.
    private var sleepers: [CheckedContinuation<Void, Never>] = []

    /// Of reports: where more wait further ones are sent away, keep what they have and come again; so many go into one transaction, but for a larger batch.
    private static let (longest, together) = (50_000, 5_000)

    /// - Parameter apply: what a batch does to the database; what it throws undoes that batch and no other.
    init(_ database: DatabaseQueue, apply: @escaping @Sendable (Batch, Database) throws -> ReportAck) {
        (self.database, self.apply) = (database, apply)
    }

    /// - Throws: `StoreError` (`busy`) where too many wait; what `apply` or the database throws.
    func store(_ batch: Batch) async throws -> ReportAck {
        guard waitingCount < Self.longest else {
            throw StoreError(kind: .busy, message: "\(waitingCount) reports wait already")
        }
        let ticket = nextTicket
        nextTicket += 1
        waiting.append((batch, ticket))
        waitingCount += batch.reports.reports.count
        // Whoever finds nobody committing does it, for all that wait.
        while true {
            if let result = results.removeValue(forKey: ticket) { return try result.get() }
            if isCommitting {
                await withCheckedContinuation { sleepers.append($0) }
            } else {
                await commit()
            }
        }
    }

    private func commit() async {
        isCommitting = true
        var count = 0
        let group = Array(
            waiting.prefix { item in
                let own = item.batch.reports.reports.count
                count += own
                return count <= Self.together || count == own
            })
        waiting.removeFirst(group.count)
        waitingCount -= group.reduce(0) { $0 + $1.batch.reports.reports.count }
        do {
            let found = try await database.write { [apply] db in
                try group.map { item in try Self.result(of: item.batch, db, apply) }
            }
            for (item, result) in zip(group, found) { results[item.ticket] = result }
        } catch {
            for item in group { results[item.ticket] = .failure(error) }
        }
        isCommitting = false
        let woken = sleepers
        sleepers = []
        for sleeper in woken { sleeper.resume() }
    }

    /// - Throws: where SQLite gave up the whole transaction, as on a full disk: then nothing of the group is stored.
    private static func result(
        of batch: Batch, _ db: Database, _ apply: (Batch, Database) throws -> ReportAck
    ) throws -> Result<ReportAck, any Error> {
        var ack: ReportAck?
        do {
            try db.inSavepoint {
                ack = try apply(batch, db)
                return .commit
            }
            return .success(ack!)
        } catch {
            guard db.isInsideTransaction else { throw error }
            return .failure(error)
        }
    }
}
