import HearthIdentity
import Synchronization

/// Browsers that have logged in: what their cookie stands for. It is no token, ends with the coordinator, and only looks.
///
/// Cookies know no ports: another program on this host is sent it, too. So a session reads and changes nothing.
package final class Sessions: Sendable {
    private let known = Mutex<[String: (principal: Principal, end: ContinuousClock.Instant)]>([:])

    private static let lifetime = Duration.seconds(12 * 3600)
    private static let most = 1000

    package init() {}

    func begin(_ principal: Principal) -> String {
        let id = Secret.random()
        let now = ContinuousClock.now
        known.withLock { all in
            if all.count >= Self.most { all = all.filter { $0.value.end > now } }
            if all.count >= Self.most, let oldest = all.min(by: { $0.value.end < $1.value.end }) {
                all[oldest.key] = nil
            }
            all[id] = (principal, now + Self.lifetime)
        }
        return id
    }

    func principal(_ id: some StringProtocol) -> Principal? {
        known.withLock { $0[String(id)] }.flatMap { $0.end > ContinuousClock.now ? $0.principal : nil }
    }

    func end(_ id: some StringProtocol) { known.withLock { $0[String(id)] = nil } }
}
