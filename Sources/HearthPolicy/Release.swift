/// A reviewer's decision that what was made from protected data may be treated as `to`: the only way down.
public struct Release: Sendable, Codable, Hashable {
    /// The dataset, at one version, by its shards.
    public let dataset: String
    public let version: Int
    public let to: Tier
    public let reviewer: String
    public let reason: String
    /// Seconds since 1970.
    public let decidedAt: Int

    public init(dataset: String, version: Int, to: Tier, reviewer: String, reason: String, decidedAt: Int) {
        (self.dataset, self.version, self.to) = (dataset, version, to)
        (self.reviewer, self.reason, self.decidedAt) = (reviewer, reason, decidedAt)
    }

    /// What is wrong with the values, field first; nil when nothing is.
    public var problem: String? {
        // Nothing becomes public by a review of its contents.
        if to != .anonymised && to != .internal { return "to: a release is to anonymised or internal" }
        if reviewer.isEmpty || reviewer.count > 200 { return "reviewer: 1 to 200 characters" }
        if reason.isEmpty || reason.count > 2000 { return "reason: 1 to 2000 characters" }
        return nil
    }

    /// Whether it is about `label` as it is now.
    public func covers(_ label: DatasetLabel) -> Bool {
        dataset == label.name && version == label.version && to == label.tier && problem == nil
    }
}
