import HearthFleet
import HearthPolicy
import HearthRoofline

/// A job that waits for a place.
public struct WaitingJob: Sendable {
    public let id: String
    public let spec: JobSpec
    /// Since it was submitted.
    public let ageSeconds: Double
    /// Of the labelled data it reads.
    public let dataByteCount: Double

    public init(_ id: String, _ spec: JobSpec, ageSeconds: Double, dataByteCount: Double = 0) {
        (self.id, self.spec, self.ageSeconds, self.dataByteCount) = (id, spec, ageSeconds, dataByteCount)
    }
}

/// Where a job goes, and every place that was considered.
public struct PlacementDecision: Sendable, Codable, Hashable {
    public let job: String
    /// The node; nil where it waits.
    public internal(set) var chosen: String?
    public internal(set) var reason: String
    public internal(set) var candidates: [Candidate]
    /// Until it should have ended, from now; nil where nothing was asked for.
    public let deadlineSeconds: Double?
    public let currency: String

    public var candidate: Candidate? { candidates.first { $0.node == chosen } }

    /// With at most `limit` candidates: the chosen one, then those that could have been.
    public func shortened(to limit: Int) -> Self {
        guard candidates.count > limit else { return self }
        var short = self
        short.candidates = Array(
            (candidates.filter { $0.node == chosen } + candidates.filter { $0.node != chosen && $0.refusal == nil }
                + candidates.filter { $0.refusal != nil }).prefix(limit))
        return short
    }
}

/// Places jobs, first come first served, each at the cheapest node that meets its deadline.
///
/// Pure: the same jobs, nodes and prices give the same plan. The rules, in order:
/// 1. A node must be connected, have the device and the memory, and be allowed to by the labels of what the job reads.
/// 2. Without a deadline a job goes to the node of one's own that ends it first.
/// 3. With one, to the cheapest of one's own that ends it in time.
/// 4. Where none of them can, to the cheapest cloud that does: a cloud is paid for to keep a deadline, and where labels allow no other place; not
///    because one's own are away.
/// 5. Where no cloud does either, to the first of one's own: money buys nothing then.
public struct Planner: Sendable {
    /// What a job is taken to last of which nobody said what it computes.
    public static let assumedSeconds = 60.0

    private let prices: PriceList
    private let permits: @Sendable (JobSpec, Site?) -> (isAllowed: Bool, reason: String)

    /// - Parameter permits: what labels say of a job at a site.
    public init(
        prices: PriceList, permits: @escaping @Sendable (JobSpec, Site?) -> (isAllowed: Bool, reason: String)
    ) {
        (self.prices, self.permits) = (prices, permits)
    }

    /// A decision for each of `jobs`, the oldest first: each takes its time from those behind it.
    public func plan(_ jobs: [WaitingJob], on nodes: [PlacementNode]) -> [PlacementDecision] {
        var nodes = nodes
        return jobs.map { job in
            let candidates = nodes.map { candidate(job, on: $0) }
            let deadline = job.spec.deadlineSeconds.map { $0 - job.ageSeconds }
            var decision = PlacementDecision(
                job: job.id, reason: "", candidates: candidates, deadlineSeconds: deadline, currency: prices.currency)
            (decision.chosen, decision.reason) = choose(candidates, deadline: deadline)
            if let index = nodes.firstIndex(where: { $0.record.node == decision.chosen }) {
                nodes[index].busySeconds += Self.occupied(job.spec, decision.candidate?.predicted?.seconds)
            }
            return decision
        }
    }

    /// How long a job keeps its node.
    public static func occupied(_ spec: JobSpec, _ predictedSeconds: Double?) -> Double {
        spec.kind == .serve ? spec.timeoutSeconds : predictedSeconds ?? assumedSeconds
    }

    private func candidate(_ job: WaitingJob, on node: PlacementNode) -> Candidate {
        var candidate = Candidate(node)
        func refused(_ reason: String) -> Candidate {
            candidate.refusal = reason
            return candidate
        }
        let permission = permits(job.spec, node.record.site)
        if !permission.isAllowed {
            candidate.isForbidden = node.record.site != nil
            return refused(permission.reason)
        }
        candidate.permission = permission.reason
        func away(_ reason: String) -> Candidate {
            candidate.isAway = true
            return refused(reason)
        }
        guard node.record.isConnected else { return away(Self.disconnected) }
        if let reason = node.record.barred { return away("is barred: \(reason)") }
        if let reason = node.record.drained { return away("is drained: \(reason)") }
        if node.record.health == .starting { return away("has not been measured yet") }
        guard let device = node.device(job.spec.device) else {
            let barred = node.record.devices.first { $0.selector == job.spec.device }?.unusable
            candidate.isAway = barred != nil
            return refused(barred.map { "\(job.spec.device): \($0)" } ?? "has no device \(job.spec.device)")
        }
        candidate.device = device.selector
        if let wanted = job.spec.estimate?.memoryByteCount, wanted > Double(device.memoryByteCount) {
            return refused(
                "\(device.selector) has \(Self.gibibytes(Double(device.memoryByteCount))) of memory, \(Self.gibibytes(wanted)) are needed"
            )
        }
        let price = node.record.site.flatMap { prices.sites[$0.name] }
        candidate.measuredWatts = node.watts[device.selector]
        candidate.waitSeconds = node.busySeconds
        // Data is where its owner is; only clouds are paid for moving it.
        candidate.movedByteCount = node.isCloud ? job.dataByteCount : 0
        let ceilings = node.record.ceilings.first { $0.device == device.selector }
        guard let ceilings, let kernels = job.spec.estimate?.kernels else { return candidate }
        let work = kernels + [JobEstimate.start(of: job.spec.kind)]
        let predicted = JobPrediction(work, ceilings, node.histories[device.selector] ?? KernelHistory())
        candidate.predicted = predicted
        candidate.finishSeconds = candidate.waitSeconds + predicted.seconds
        candidate.cost = price?.cost(
            seconds: predicted.seconds, measuredWatts: candidate.measuredWatts, movedByteCount: candidate.movedByteCount
        )
        return candidate
    }

    private func choose(_ candidates: [Candidate], deadline: Double?) -> (String?, String) {
        let possible = candidates.filter { $0.refusal == nil }
        let own = possible.filter { !$0.isCloud }
        let clouds = possible.filter { $0.isCloud && $0.cost != nil }
        let first = own.min(by: Self.isSooner)
        guard let deadline else {
            if let first { return (first.node, "is the first of one's own to end it") }
            return chooseWhereLabelsLeaveClouds(candidates)
        }
        func inTime(_ candidate: Candidate) -> Bool { candidate.finishSeconds.map { $0 <= deadline } ?? false }
        if let cheapest = own.filter(inTime).min(by: Self.isCheaper) {
            return (cheapest.node, "is the cheapest of one's own that meets the deadline")
        }
        if let first, first.finishSeconds == nil {
            return (first.node, "is the first of one's own; whether it meets the deadline cannot be predicted")
        }
        // Those that are away are waited for: an outage on the premises is not to be a bill.
        let mayPay =
            candidates.contains { !$0.isCloud } && (!own.isEmpty || !candidates.contains { $0.isAway && !$0.isCloud })
        if mayPay, let cheapest = clouds.filter(inTime).min(by: Self.isCheaper) {
            return (cheapest.node, "is the cheapest cloud that meets the deadline, which nothing of one's own does")
        }
        if let first {
            return (first.node, "is the first of one's own to end it; nothing meets the deadline")
        }
        return chooseWhereLabelsLeaveClouds(candidates)
    }

    /// Clouds for what may be nowhere else; what one's own nodes only cannot take just now waits for them.
    private func chooseWhereLabelsLeaveClouds(_ candidates: [Candidate]) -> (String?, String) {
        let own = candidates.filter { !$0.isCloud }
        let clouds = candidates.filter { $0.isCloud && $0.refusal == nil }
        guard let first = clouds.min(by: Self.isSooner) else { return (nil, Self.obstacle(candidates)) }
        if !own.isEmpty, own.allSatisfy(\.isForbidden) {
            return (first.node, "is where its labels leave it to be: no place of one's own may have it")
        }
        return (
            nil, "waits for a node of one's own; a cloud is for deadlines (deadlineSeconds), or what labels send there"
        )
    }

    private static let disconnected = "is not connected"

    private static func obstacle(_ candidates: [Candidate]) -> String {
        if candidates.allSatisfy({ $0.refusal == disconnected }) { return "no node is connected" }
        return "no node may take it: "
            + candidates.map { "\($0.node) \($0.refusal ?? "waits")" }.joined(separator: "; ")
    }

    private static func isSooner(_ a: Candidate, _ b: Candidate) -> Bool {
        (a.finishSeconds ?? a.waitSeconds + assumedSeconds, a.cost ?? 0, a.node)
            < (b.finishSeconds ?? b.waitSeconds + assumedSeconds, b.cost ?? 0, b.node)
    }

    /// What has no price is one's own and is paid for already.
    private static func isCheaper(_ a: Candidate, _ b: Candidate) -> Bool {
        (a.cost ?? 0, a.finishSeconds ?? .infinity, a.node) < (b.cost ?? 0, b.finishSeconds ?? .infinity, b.node)
    }

    private static func gibibytes(_ bytes: Double) -> String {
        "\((bytes / Double(1 << 30) * 10).rounded() / 10) GiB"
    }
}
