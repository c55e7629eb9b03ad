import Crypto
import Foundation
import HearthJSON

/// What may be done with a dataset, and what the dataset is.
public struct DatasetLabel: Sendable, Codable, Hashable {
    /// One file of it, by its contents.
    public struct Shard: Sendable, Codable, Hashable {
        /// Of the file; no path.
        public let name: String
        /// 64 hexadecimal digits.
        public let sha256: String
        public let byteCount: Int

        public init(name: String, sha256: String, byteCount: Int) {
            (self.name, self.sha256, self.byteCount) = (name, sha256, byteCount)
        }
    }

    public let name: String
    /// Counts up with every change of the label.
    public var version: Int
    public var tier: Tier
    /// Names of sites; nil: every site that the tier allows.
    public var sites: Set<String>?
    public var purposes: Set<Purpose>
    /// Seconds since 1970 from which on nothing may be done; nil: never.
    public var expiresAt: Int?
    public var shards: [Shard]
    /// Names of the datasets that it was made from.
    public var derivedFrom: Set<String>

    public init(
        name: String, version: Int = 1, tier: Tier, sites: Set<String>? = nil, purposes: Set<Purpose>,
        expiresAt: Int? = nil, shards: [Shard] = [], derivedFrom: Set<String> = []
    ) {
        (self.name, self.version, self.tier, self.sites) = (name, version, tier, sites)
        (self.purposes, self.expiresAt, self.shards, self.derivedFrom) = (purposes, expiresAt, shards, derivedFrom)
    }

    /// Sets in order: equal labels have one text.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(name, forKey: .name)
        try fields.encode(version, forKey: .version)
        try fields.encode(tier, forKey: .tier)
        try fields.encodeIfPresent(sites?.sorted(), forKey: .sites)
        try fields.encode(purposes.sorted { $0.rawValue < $1.rawValue }, forKey: .purposes)
        try fields.encodeIfPresent(expiresAt, forKey: .expiresAt)
        try fields.encode(shards, forKey: .shards)
        try fields.encode(derivedFrom.sorted(), forKey: .derivedFrom)
    }

    /// SHA-256 of the canonical text: another label is another, whatever its version says.
    public var sha256: String {
        let text = (try? CanonicalJSON.encode(self)) ?? Data()
        return SHA256.hash(data: text).hexadecimal
    }

    /// What is wrong with the values, field first; nil when nothing is.
    public var problem: String? {
        if !FleetName.isValid(name) { return "name: 1 to 128 letters, digits, '.', '_' or '-', no dot first" }
        if version < 1 { return "version: at least 1" }
        if let sites, let bad = sites.first(where: { !FleetName.isValid($0) }) {
            return "sites: '\(bad.prefix(40))' is no name"
        }
        if shards.count > 100_000 { return "shards: at most 100000" }
        var seen: Set<String> = []
        for shard in shards {
            if !FleetName.isValid(shard.name) { return "shards: '\(shard.name.prefix(40))' is no file's name" }
            if !seen.insert(shard.name).inserted { return "shards: '\(shard.name)' occurs twice" }
            if !shard.sha256.utf8.isHexadecimal(64) {
                return "shards: sha256 of '\(shard.name)' is not 64 hexadecimal digits"
            }
            if shard.byteCount < 0 { return "shards: byteCount of '\(shard.name)' is negative" }
        }
        if let bad = derivedFrom.first(where: { !FleetName.isValid($0) || $0 == name }) {
            return "derivedFrom: '\(bad.prefix(40))' is no other dataset"
        }
        return nil
    }

    /// The label of what is made from `sources`: of everything the strictest.
    ///
    /// - Precondition: there are sources.
    public static func derived(_ name: String, from sources: [DatasetLabel]) -> DatasetLabel {
        precondition(!sources.isEmpty, "nothing to derive from")
        return DatasetLabel(
            name: name, tier: sources.map(\.tier).max()!,
            sites: sources.compactMap(\.sites).reduce(nil) { known, sites in known?.intersection(sites) ?? sites },
            purposes: sources.map(\.purposes).reduce(Set(Purpose.allCases)) { $0.intersection($1) },
            expiresAt: sources.compactMap(\.expiresAt).min(), derivedFrom: Set(sources.map(\.name)))
    }

    /// Where `self` allows more than `derived(from: sources)` would; nil where it does not.
    public func excess(over sources: [DatasetLabel]) -> String? {
        if sources.isEmpty { return nil }
        let strictest = Self.derived(name, from: sources)
        if tier < strictest.tier { return "tier \(tier.rawValue) is below \(strictest.tier.rawValue)" }
        if let allowed = strictest.sites, !(sites.map(allowed.isSuperset) ?? false) {
            return "sites are more than \(allowed.sorted().joined(separator: ", "))"
        }
        if !strictest.purposes.isSuperset(of: purposes) {
            let allowed = strictest.purposes.map(\.rawValue).sorted().joined(separator: ", ")
            return "purposes are more than \(allowed.isEmpty ? "none" : allowed)"
        }
        if let last = strictest.expiresAt, (expiresAt ?? .max) > last { return "it expires after its sources" }
        return nil
    }
}
