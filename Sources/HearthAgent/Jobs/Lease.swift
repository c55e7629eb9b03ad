import Foundation
import Synchronization

/// Until when this node may have what it has: renewed by each answer of the coordinator, counted from when it was asked for.
final class Leases: Sendable {
    private let current = Mutex<(soft: Double, hard: Double)?>(nil)

    /// - Parameters:
    ///   - asked: `MonotonicClock.seconds` before the request went out.
    ///   - seconds: what the coordinator said; it gives jobs away a quarter later.
    func renew(asked: Double, seconds: Double) {
        current.withLock { $0 = (asked + 0.8 * seconds, asked + 0.9 * seconds) }
    }

    /// When jobs that stop on partitions end themselves; nil before the first answer.
    var end: Double? { current.withLock { $0?.soft } }

    /// Whether one that has not ended itself is to be ended.
    var isOver: Bool { current.withLock { $0.map { MonotonicClock.seconds > $0.hard } ?? false } }
}

/// A job's copy of the lease, in its folder: it ends by itself when that runs out, whatever became of the agent.
package struct LeaseFile: Sendable {
    private let path: String

    package init(_ path: String) { self.path = path }

    /// - Parameter end: by `MonotonicClock`.
    package func write(end: Double) throws {
        try Data("\(end)\n".utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    /// Whether it has run out. What cannot be read has.
    package var isOver: Bool {
        let text = try? String(contentsOfFile: path, encoding: .utf8)
        guard let end = text.flatMap({ Double($0.trimmingCharacters(in: .whitespacesAndNewlines)) }) else {
            return true
        }
        return MonotonicClock.seconds > end
    }
}
