import Foundation
import HearthFleet
import HearthPolicy

/// Whether a job may go to a node: its device, and the labels of what it reads.
struct Placement {
    /// nil: where data may be is left to the nodes.
    let labels: LabelCache?

    /// Whether `spec` may run on a node with `devices` at `site`, and why.
    func decide(_ spec: JobSpec, _ devices: [DeviceSummary], at site: Site?) -> (isAllowed: Bool, reason: String) {
        guard CoordinatorStore.offers(devices, spec.device) else { return (false, "has no device \(spec.device)") }
        return decision(spec, at: site)
    }

    /// What the labels say: the rule that the node holds the job to once more.
    private func decision(_ spec: JobSpec, at site: Site?) -> (isAllowed: Bool, reason: String) {
        guard let labels else { return (true, "left to the node") }
        let named = spec.data.map { $0.map { labels.known($0) } }
        let data = named ?? (spec.input == nil ? [] : [.unlabelledInput])
        if data.isEmpty { return (true, "no data is read") }
        guard let site else { return (false, "has not said at which site it is") }
        let decision = Policy.decide(
            data, at: site, for: spec.readingPurpose, now: Int(Date().timeIntervalSince1970))
        return (decision.isAllowed, decision.reason)
    }
}
