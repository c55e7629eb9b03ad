/// Where a dataset is, as far as jobs have said: its shards, and what was made from them.
public struct DataPlaces: Sendable, Codable {
    public struct Copy: Sendable, Codable, Hashable {
        public enum Relation: String, Sendable, Codable {
            /// A file of the dataset itself.
            case shard
            /// Made from it, by one step or several.
            case derived
        }

        public let relation: Relation
        /// The shard's name, or that of the dataset that the file was labelled as; nil for what has no label.
        public let name: String?
        public let sha256: String
        public let node: String
        public let site: String?
        public let path: String
        /// The job that read or wrote it last, and when, seconds since 1970.
        public let job: String
        public let at: Double

        public init(
            _ relation: Relation, name: String?, _ file: FileUse, on node: String, site: String?, job: String,
            at: Double
        ) {
            (self.relation, self.name, sha256, path) = (relation, name, file.sha256, file.path)
            (self.node, self.site, self.job, self.at) = (node, site, job, at)
        }
    }

    public let name: String
    /// Whether there is a label of that name.
    public let isLabelled: Bool
    /// Shards that no job has read: where they are, nobody has said.
    public let unseenShards: [String]
    public let copies: [Copy]

    public init(name: String, isLabelled: Bool, unseenShards: [String], copies: [Copy]) {
        (self.name, self.isLabelled) = (name, isLabelled)
        (self.unseenShards, self.copies) = (unseenShards, copies)
    }
}
