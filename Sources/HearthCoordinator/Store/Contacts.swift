import Synchronization

/// When each node was last heard from, by a clock that nobody sets, since this coordinator's start: what was before does not say that
/// a node is gone.
package final class Contacts: Sendable {
    /// How long a node that is silent keeps its leases.
    package let leaseSeconds: Double
    private let start = ContinuousClock.now
    private let state = Mutex(State())

    private struct State {
        var last: [String: ContinuousClock.Instant] = [:]
        /// Nodes whose jobs were given to others since they were last heard from.
        var lost: Set<String> = []

        func isConnected(_ node: String) -> Bool {
            !lost.contains(node) && last[node].map { .now - $0 < silence } ?? false
        }
    }

    /// A node not heard from for this long counts as disconnected.
    static let silence = Duration.seconds(45)
    /// Between notes in the database of when a node was last heard from.
    static let rememberedEverySeconds = 15.0
    /// More nodes than this share falling silent together are no deaths: the network is, or this coordinator.
    private static let believableShare = 0.2

    init(leaseSeconds: Double) { self.leaseSeconds = leaseSeconds }

    /// After the lease; nodes end what they have at 0.8 of it.
    private var patience: Duration { .seconds(leaseSeconds * 1.25) }

    func heard(from node: String) {
        state.withLock {
            $0.last[node] = .now
            $0.lost.remove(node)
        }
    }

    func isConnected(_ node: String) -> Bool {
        state.withLock { $0.isConnected(node) }
    }

    var connectedNodes: [String] {
        state.withLock { state in state.last.keys.filter { state.isConnected($0) }.sorted() }
    }

    /// The node is lost, whatever else: somebody says so.
    func isLost(_ node: String) { _ = state.withLock { $0.lost.insert(node) } }

    /// Of `nodes` those whose leases ran out.
    ///
    /// - Returns: none, and why, where so many fell silent together that it is not they who are gone.
    func lost(of nodes: some Sequence<String>) -> (nodes: [String], heldBack: String?) {
        state.withLock { state in
            let now = ContinuousClock.now
            let known = state.last.filter { !state.lost.contains($0.key) }
            // Those on their way count, too: nodes do not fall silent within one moment.
            let silent = known.count { now - $0.value > patience / 2 }
            let gone = nodes.filter { !state.lost.contains($0) && now - (state.last[$0] ?? start) > patience }
            if gone.isEmpty { return ([], nil) }
            if silent > 1, Double(silent) > Self.believableShare * Double(known.count) {
                return ([], "\(silent) of \(known.count) nodes fell silent together")
            }
            state.lost.formUnion(gone)
            return (gone, nil)
        }
    }
}
