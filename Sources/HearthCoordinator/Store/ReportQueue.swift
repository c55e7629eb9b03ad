import GRDB
import HearthFleet

/// Batches of reports on their way into the database. What arrives while a commit is under way goes into the next one together: the disk's flush is paid once
/// for all of them (group commit), and each is answered when it is on the disk.
actor ReportQueue {
    typealias Batch = (reports: ReportBatch, node: String)

    private let database: DatabaseQueue
    private let apply: @Sendable (Batch, Database) throws -> ReportAck
    private var waiting: [(batch: Batch, answer: CheckedContinuation<ReportAck, any Error>)] = []
    private var isCommitting = false

    /// More than this many waiting are sent away: they keep what they have and come again.
    private static let longest = 4096

    /// - Parameter apply: what a batch does to the database; what it throws undoes that batch and no other.
    init(_ database: DatabaseQueue, apply: @escaping @Sendable (Batch, Database) throws -> ReportAck) {
        (self.database, self.apply) = (database, apply)
    }

    /// - Throws: `StoreError` (`busy`) where too many wait; what `apply` or the database throws.
    func store(_ batch: Batch) async throws -> ReportAck {
        guard waiting.count < Self.longest else {
            throw StoreError(kind: .busy, message: "\(waiting.count) batches of reports wait already")
        }
        return try await withCheckedThrowingContinuation { answer in
            waiting.append((batch, answer))
            guard !isCommitting else { return }
            isCommitting = true
            Task { await commitAll() }
        }
    }

    private func commitAll() async {
        while !waiting.isEmpty {
            let group = waiting
            waiting = []
            do {
                let results = try await database.write { [apply] db in
                    try group.map { item in try Self.result(of: item.batch, db, apply) }
                }
                for (item, result) in zip(group, results) { item.answer.resume(with: result) }
            } catch {
                for item in group { item.answer.resume(throwing: error) }
            }
        }
        isCommitting = false
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
