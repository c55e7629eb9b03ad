import Foundation
import HearthJSON

/// What an operator hands to a new node: a secret that is good once, and which authority the node may believe.
///
/// Written `hearth-join-SECRET-AUTHORITY`, both 64 hexadecimal digits. Whoever has it can be that node, until it is used.
public struct JoinToken: Sendable, Hashable, CustomStringConvertible {
    public let secret: String
    /// SHA-256 of the authority's certificate (DER): a coordinator that shows another is not the one that invited.
    public let authority: String

    public init(secret: String, authority: String) { (self.secret, self.authority) = (secret, authority) }

    public static func random(authority: String) -> Self {
        Self(secret: Secret.random(), authority: authority)
    }

    /// nil for what is none.
    public init?(_ text: String) {
        let parts = text.trimmingCharacters(in: .whitespacesAndNewlines).split(
            separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "hearth", parts[1] == "join",
            parts[2...].allSatisfy({ $0.utf8.isHexadecimal(64) })
        else { return nil }
        self.init(secret: String(parts[2]), authority: String(parts[3]))
    }

    public var description: String { "hearth-join-\(secret)-\(authority)" }
}
