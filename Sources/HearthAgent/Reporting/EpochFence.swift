import HearthFleet

/// Remembers the latest coordinator that this node heard of, and tells when an older one answers.
public actor EpochFence {
    private let store: AgentStore
    private var latest: Int64?

    private static let key = "epoch"

    init(_ store: AgentStore) { self.store = store }

    /// The highest epoch so far; 0 before the first.
    func current() async throws -> Int64 {
        if let latest { return latest }
        let stored = try await store.value(Self.key).flatMap { Int64($0) } ?? 0
        latest = max(latest ?? 0, stored)
        return latest ?? 0
    }

    /// - Returns: false for an answer that is an older coordinator's: it does not count.
    func accept(_ epoch: Int64) async throws -> Bool {
        let known = try await current()
        if epoch > known {
            latest = epoch
            try await store.set(Self.key, "\(epoch)")
        }
        return epoch >= known
    }
}
