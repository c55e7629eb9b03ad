/// A reviewer's decision that what was made from protected data may be treated as `to`: the only way down.
public struct Release: Sendable, Codable, Hashable {
    public let dataset: String
    /// The label that was reviewed, and with it the shards: `DatasetLabel.sha256`.
    public let label: String
    public let to: Tier
    public let reviewer: String
    public let reason: String
    /// Seconds since 1970.
    public let decidedAt: Int

    /// - Parameter decidedAt: seconds since 1970.
    public init(of label: DatasetLabel, reviewer: String, reason: String, decidedAt: Int) {
        (dataset, self.label, to) = (label.name, label.sha256, label.tier)
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
        dataset == label.name && self.label == label.sha256 && to == label.tier && problem == nil
    }
}
