import HTTPTypes
import HearthIdentity
import Hummingbird
import NIOCore

/// What a request needs: one table for all routes. What is not in it is the operator's, such as invitations and drains.
enum Access: Equatable {
    case everyone
    case role(Principal.Role)
    /// Any node, or the one that the path names.
    case node(String?)

    init(_ method: HTTPRequest.Method, _ path: String) {
        let parts = path.split(separator: "/").map(String.init)
        switch (method, parts.first, parts.dropFirst().first) {
        case (.get, "metrics", nil), (.get, "healthz", nil): self = .everyone
        case (.get, "login", nil), (.post, "login", nil), (.get, "logout", nil): self = .everyone
        case (.get, "v1", "authority"), (.post, "v1", "join"): self = .everyone
        case (.post, "v1", "renew"): self = .node(nil)
        case (.post, "v1", "nodes"): self = .node(parts.count > 2 ? parts[2] : nil)
        case (.post, "v1", "jobs"): self = .role(.submitter)
        case (.get, _, _): self = .role(.auditor)
        default: self = .role(.operator)
        }
    }

    /// The one node that may.
    var node: String? { if case .node(let name) = self { name } else { nil } }

    /// nil where `principal` may.
    ///
    /// - Parameter hasCertificates: nodes have certificates, and no token is one.
    func problem(_ principal: Principal, hasCertificates: Bool) -> String? {
        switch self {
        case .everyone: return nil
        case .role(let role):
            if let own = principal.role, own >= role { return nil }
            return "\(principal) is no \(role.rawValue)"
        case .node(let wanted):
            switch principal {
            case .node(let name):
                return wanted == nil || wanted == name ? nil : "\(principal) is not node \(wanted!.prefix(80))"
            case .local where !hasCertificates: return nil
            default: return "a node's certificate is needed, and \(principal) has none"
            }
        }
    }
}

/// A request, and who makes it.
package struct CoordinatorContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    /// Set by `AuthMiddleware`; nil on routes that are everyone's.
    var principal: Principal?
    /// SHA-256 of the key that a node came with; nil where it has no certificate.
    var keyDigest: String?
    let channel: any Channel

    package init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }

    package var maxUploadSize: Int { JSONBody.maximumByteCount }
}
