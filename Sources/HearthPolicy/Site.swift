/// A place with nodes under one law and one owner.
public struct Site: Sendable, Codable, Hashable {
    public enum Kind: String, Sendable, Codable, CaseIterable { case onprem, edge, cloud }

    public let name: String
    public let kind: Kind
    /// ISO 3166-1, two capital letters.
    public let country: String

    public init(name: String, kind: Kind, country: String) {
        (self.name, self.kind, self.country) = (name, kind, country)
    }
}
