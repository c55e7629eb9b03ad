import HearthPolicy

/// Who somebody is within a trust domain: `spiffe://DOMAIN/node/NAME`, the only name in a certificate that counts.
public struct SPIFFEID: Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable, CaseIterable { case node, coordinator }

    public let trustDomain: String
    public let kind: Kind
    public let name: String

    /// nil where the trust domain or the name cannot be one.
    public init?(trustDomain: String, _ kind: Kind, _ name: String) {
        guard Self.isTrustDomain(trustDomain), FleetName.isValid(name) else { return nil }
        (self.trustDomain, self.kind, self.name) = (trustDomain, kind, name)
    }

    /// nil for every other text: no port, no query, no dots as a path.
    public init?(_ text: String) {
        let scheme = "spiffe://"
        guard text.hasPrefix(scheme) else { return nil }
        let parts = text.dropFirst(scheme.count).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, let kind = Kind(rawValue: String(parts[1])) else { return nil }
        self.init(trustDomain: String(parts[0]), kind, String(parts[2]))
    }

    public var description: String { "spiffe://\(trustDomain)/\(kind.rawValue)/\(name)" }

    /// Lower-case letters, digits, dots, dashes and underscores, at most 255.
    public static func isTrustDomain(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (97...122).contains($0) || (48...57).contains($0) || [UInt8](".-_".utf8).contains($0)
            }
    }
}
