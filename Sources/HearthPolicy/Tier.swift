/// How much a dataset must be protected, the least first.
public enum Tier: String, Sendable, Codable, CaseIterable, Comparable {
    case `public`, anonymised, `internal`, personal, secret

    private var rank: Int { Self.allCases.firstIndex(of: self)! }
    public static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }

    /// Where data of the tier may be at most, whatever a label allows.
    public var kinds: Set<Site.Kind> {
        switch self {
        case .public, .anonymised, .internal: [.onprem, .edge, .cloud]
        case .personal: [.onprem, .edge]
        case .secret: [.onprem]
        }
    }

    /// Whether a label has to name sites for data of the tier to be in a cloud.
    public var mustNameClouds: Bool { self >= .internal }
}

/// What data may be used for.
public enum Purpose: String, Sendable, Codable, CaseIterable { case training, inference, evaluation }
