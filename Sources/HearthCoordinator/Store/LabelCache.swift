import HearthPolicy
import Synchronization

/// Labels as they were read within the last moments: nodes ask several times a second, and within transactions.
final class LabelCache: Sendable {
    private let folder: LabelFolder
    private let known = Mutex<[String: (data: KnownData, at: ContinuousClock.Instant)]>([:])

    /// How long a changed label may go unseen here; nodes read theirs each time.
    private static let lifetime = Duration.seconds(2)

    init(_ folder: LabelFolder) { self.folder = folder }

    func known(_ name: String) -> KnownData {
        let now = ContinuousClock.now
        if let seen = known.withLock({ $0[name] }), now - seen.at < Self.lifetime { return seen.data }
        let data = folder.known(name)
        known.withLock { all in
            if all.count > 10_000 { all = [:] }
            all[name] = (data, now)
        }
        return data
    }
}
