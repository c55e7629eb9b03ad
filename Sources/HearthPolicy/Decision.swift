/// Whether something may be done, and why.
public struct Decision: Sendable, Codable, Hashable {
    public let isAllowed: Bool
    /// For people: which label, which rule.
    public let reason: String

    static func allow(_ reason: String) -> Self { Self(isAllowed: true, reason: reason) }
    static func deny(_ reason: String) -> Self { Self(isAllowed: false, reason: reason) }
}

/// What is known of one dataset that a job wants to read.
public struct KnownData: Sendable, Hashable {
    public let name: String
    /// nil: nobody has labelled it.
    public let label: DatasetLabel?
    /// The labels of what it was made from, as far as they are known.
    public let sources: [DatasetLabel]
    /// The labels of what those were made from in turn, up to what was released.
    public let ancestors: [DatasetLabel]
    public let release: Release?
    /// Why what there is of a label cannot be believed.
    public let problem: String?

    public init(
        name: String, label: DatasetLabel?, sources: [DatasetLabel] = [], ancestors: [DatasetLabel] = [],
        release: Release? = nil, problem: String? = nil
    ) {
        (self.name, self.label, self.sources, self.ancestors) = (name, label, sources, ancestors)
        (self.release, self.problem) = (release, problem)
    }

    /// A file that a job reads and no label is known of.
    public static let unlabelledInput = KnownData(name: "the input file", label: nil)
}

public enum Policy {
    /// Whether all of `data` may be used for `purpose` at `site` now: the same rule where work is placed and where it is admitted.
    /// What is not known is denied.
    ///
    /// - Parameter now: seconds since 1970.
    public static func decide(_ data: [KnownData], at site: Site, for purpose: Purpose, now: Int) -> Decision {
        var reasons: [String] = []
        for item in data {
            let decision = decide(item, at: site, for: purpose, now: now)
            if !decision.isAllowed { return decision }
            reasons.append(decision.reason)
        }
        return .allow(reasons.isEmpty ? "no data is read" : reasons.joined(separator: "; "))
    }

    private static func decide(_ data: KnownData, at site: Site, for purpose: Purpose, now: Int) -> Decision {
        if let problem = data.problem { return .deny("\(data.name): \(problem)") }
        guard let label = data.label else {
            return site.kind == .onprem
                ? .allow("\(data.name) has no label and stays on-prem")
                : .deny("\(data.name) has no label: on-prem only, and \(site.name) is \(site.kind.rawValue)")
        }
        func deny(_ reason: String) -> Decision { .deny("\(label.name): \(reason)") }
        if label.name != data.name { return deny("is the label of another dataset than \(data.name)") }
        if let problem = label.problem { return deny("its label is malformed: \(problem)") }
        if let expiry = label.expiresAt, now >= expiry { return deny("its label expired") }
        guard label.purposes.contains(purpose) else { return deny("may not be used for \(purpose.rawValue)") }
        if let problem = problem(of: label, at: site) { return deny(problem) }
        return decideDerivation(data, label, at: site)
    }

    /// Why what `label` is about may not be at `site`.
    private static func problem(of label: DatasetLabel, at site: Site) -> String? {
        guard label.tier.kinds.contains(site.kind) else {
            return "is \(label.tier.rawValue): never in \(site.kind.rawValue) sites, as \(site.name) is"
        }
        if let sites = label.sites { return sites.contains(site.name) ? nil : "may not be at \(site.name)" }
        return site.kind == .cloud && label.tier.mustNameClouds
            ? "is \(label.tier.rawValue): its label has to name a cloud site, and names none" : nil
    }

    private static func decideDerivation(_ data: KnownData, _ label: DatasetLabel, at site: Site) -> Decision {
        if let problem = derivationProblem(data) { return .deny("\(label.name): \(problem)") }
        if let release = data.release, isLowered(data) {
            return .allow("\(label.name) was released as \(release.to.rawValue) by \(release.reviewer)")
        }
        // A label may name a cloud where its source's names none: the sources are asked too.
        for source in data.sources.filter({ label.derivedFrom.contains($0.name) }) + data.ancestors {
            if let problem = problem(of: source, at: site) {
                return .deny("\(label.name): was made from \(source.name), which \(problem)")
            }
        }
        return .allow("the label of \(label.name) allows it")
    }

    /// Whether the label is below what it was made from.
    static func isLowered(_ data: KnownData) -> Bool {
        guard let label = data.label else { return false }
        return data.sources.contains { label.derivedFrom.contains($0.name) && $0.tier > label.tier }
    }

    /// Why a label is not one that its sources' labels and a release allow, wherever it is used; nil where it is.
    public static func derivationProblem(_ data: KnownData) -> String? {
        guard let label = data.label else { return nil }
        let known = Set(data.sources.map(\.name))
        if let missing = label.derivedFrom.subtracting(known).min() {
            return "was made from \(missing), whose label is not known"
        }
        let sources = data.sources.filter { label.derivedFrom.contains($0.name) }
        guard let excess = label.excess(over: sources) else { return nil }
        // A review lowers the tier, and with it the sites; purposes and expiry stay the sources'.
        guard let release = data.release, release.covers(label), isLowered(data) else {
            return "allows more than what it was made from: \(excess)"
        }
        let strictest = DatasetLabel.derived(label.name, from: sources)
        let isNoWider =
            strictest.purposes.isSuperset(of: label.purposes)
            && (label.expiresAt ?? .max) <= (strictest.expiresAt ?? .max)
        return isNoWider ? nil : "a release does not widen purposes or expiry"
    }
}
