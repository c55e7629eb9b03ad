import Foundation
import HearthFleet
import HearthPlacement
import HearthPolicy
import Synchronization

/// What placement goes by besides jobs and nodes: labels of data, and prices.
struct Placement {
    /// nil: where data may be is left to the nodes.
    let labels: LabelCache?
    let prices: PriceList
    let plans: PlanCache
    let contacts: Contacts

    var planner: Planner { Planner(prices: prices) { [labels] in Self.decide($0, at: $1, labels) } }

    /// What the labels say: the rule that the node holds the job to once more.
    private static func decide(
        _ spec: JobSpec, at site: Site?, _ labels: LabelCache?
    ) -> (isAllowed: Bool, reason: String) {
        guard let labels else { return (true, "left to the node") }
        let named = spec.data.map { $0.map { labels.known($0) } }
        let data = named ?? (spec.input == nil ? [] : [.unlabelledInput])
        if data.isEmpty { return (true, "no data is read") }
        guard let site else { return (false, "has not said at which site it is") }
        let decision = Policy.decide(
            data, at: site, for: spec.readingPurpose, now: Int(Date().timeIntervalSince1970))
        return (decision.isAllowed, decision.reason)
    }

    /// Of the labelled data that `spec` names.
    func dataByteCount(_ spec: JobSpec) -> Double {
        guard let labels else { return 0 }
        let shards = (spec.data ?? []).compactMap { labels.known($0).label }.flatMap(\.shards)
        return shards.reduce(0) { $0 + Double($1.byteCount) }
    }
}

/// The newest plan: nodes ask several times a second, and so do people.
final class PlanCache: Sendable {
    private let newest = Mutex<(mark: Int64, at: ContinuousClock.Instant, plan: [PlacementDecision])?>(nil)

    /// How long something may go unseen that nobody tells of: a node that falls silent, a label.
    private static let lifetime = Duration.seconds(1)

    /// What it was made from is other than it was.
    func forget() { newest.withLock { $0 = nil } }

    /// Whether jobs wait, as far as is known.
    var isEmpty: Bool { newest.withLock { $0.map(\.plan.isEmpty) ?? false } }

    /// - Parameter mark: another with each step of a job.
    func plan(_ mark: Int64, _ make: () throws -> [PlacementDecision]) rethrows -> [PlacementDecision] {
        let now = ContinuousClock.now
        if let newest = newest.withLock({ $0 }), newest.mark == mark, now - newest.at < Self.lifetime {
            return newest.plan
        }
        let plan = try make()
        newest.withLock { $0 = (mark, now, plan) }
        return plan
    }
}
