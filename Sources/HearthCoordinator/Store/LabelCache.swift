import HearthPolicy
import Synchronization

/// Labels as they were read within the last moments: nodes ask several times a second, and within transactions.
final class LabelCache: Sendable {
    private let folder: LabelFolder
    private let known = Mutex<[String: (data: KnownData, at: ContinuousClock.Instant)]>([:])

    /// How long a changed label may go unseen here; nodes read theirs each time.
    private static let lifetime = Duration.seconds(2)

    init(_ folder: LabelFolder) { self.folder = folder }

    /// Every label that can be believed, by its dataset's name.
    func all() throws -> [String: DatasetLabel] {
        let labels = try folder.names().compactMap { known($0).label }
        return Dictionary(labels.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

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
