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

    /// - Parameter nodes: that were there when the coordinator was last; it takes them to be there.
    init(leaseSeconds: Double, nodes: [String] = []) {
        self.leaseSeconds = leaseSeconds
        state.withLock { [start] in for node in nodes { $0.last[node] = start } }
    }

    /// After the lease; nodes end what they have at 0.8 of it.
    private var patience: Duration { .seconds(leaseSeconds * 1.25) }

    func heard(from node: String) {
        state.withLock {
            $0.last[node] = .now
            $0.lost.remove(node)
        }
    }

    func isConnected(_ node: String) -> Bool { state.withLock { $0.isConnected(node) } }

    var connectedNodes: [String] {
        state.withLock { state in state.last.keys.filter { state.isConnected($0) }.sorted() }
    }

    /// What `node` had was given to others: it counts no more until it is heard from.
    func lose(_ node: String) { _ = state.withLock { $0.lost.insert(node) } }

    /// Of `nodes` those whose leases ran out.
    ///
    /// - Returns: with them, why others are held back: so many fell silent together that it is not they who are gone.
    func overdue(of nodes: some Sequence<String>) -> (nodes: [String], heldBack: String?) {
        state.withLock { state in
            let now = ContinuousClock.now
            func last(_ node: String) -> ContinuousClock.Instant { state.last[node] ?? start }
            var heldBack: String?
            let overdue = nodes.filter { node in
                guard !state.lost.contains(node), now - last(node) > patience else { return false }
                // Those that were there shortly before, and of them those that fell silent at about the same time. One on its way into
                // silence counts, too: nodes do not fall silent within one moment.
                let there = state.last.filter { !state.lost.contains($0.key) && $0.value > last(node) - patience }
                let silent = there.count { now - $0.value > patience / 2 && $0.value < last(node) + patience }
                if silent > 1, Double(silent) > Self.believableShare * Double(there.count) {
                    heldBack = "\(silent) of \(there.count) nodes fell silent together"
                    return false
                }
                return true
            }
            return (overdue, heldBack)
        }
    }
}
