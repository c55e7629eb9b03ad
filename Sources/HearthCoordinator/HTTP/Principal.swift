import Foundation
import HearthFleet
import HearthIdentity
import HearthPolicy

/// Who asks.
package enum Principal: Sendable, Hashable, CustomStringConvertible {
    /// What a user may: each as the one before it, and more.
    package enum Role: String, Sendable, CaseIterable, Comparable {
        /// Sees everything, changes nothing.
        case auditor
        /// Submits and cancels jobs.
        case submitter
        /// Invites nodes.
        case `operator`

        package static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }
        private var rank: Int { Self.allCases.firstIndex(of: self)! }
    }

    case user(String, Role)
    /// By its certificate.
    case node(String)
    /// The token of the coordinator's own state folder: an operator, and on a coordinator without certificates every node.
    case local

    package var description: String {
        switch self {
        case .user(let name, let role): "\(role.rawValue) \(name)"
        case .node(let name): "node \(name)"
        case .local: "local token"
        }
    }

    /// Whose certificate it is.
    var node: String? { if case .node(let name) = self { name } else { nil } }

    package var role: Role? {
        switch self {
        case .user(_, let role): role
        case .local: .operator
        case .node: nil
        }
    }
}

/// Users and the SHA-256 of their tokens: a file of lines `NAME ROLE HEX`; those that begin with `#` are comments.
package struct UserList: Sendable {
    private var users: [String: Principal] = [:]

    package init() {}

    /// - Throws: `ConfigError` naming file and line.
    package init(path: String) throws(ConfigError) {
        var names: Set<String> = []
        let lines = try ConfigError.text(path).split(separator: "\n", omittingEmptySubsequences: false)
        for (number, line) in lines.enumerated() where !line.allSatisfy(\.isWhitespace) && !line.hasPrefix("#") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 3, FleetName.isValid(words[0]), let role = Principal.Role(rawValue: words[1]),
                words[2].utf8.count == 64, words[2].allSatisfy(\.isHexDigit)
            else {
                let roles = Principal.Role.allCases.map(\.rawValue).joined(separator: ", ")
                throw ConfigError("\(path):\(number + 1): expected NAME ROLE HEX, a role of \(roles), HEX of 64 digits")
            }
            guard names.insert(words[0]).inserted,
                users.updateValue(.user(words[0], role), forKey: words[2].lowercased()) == nil
            else { throw ConfigError("\(path):\(number + 1): the name or the token occurs twice") }
        }
    }

    /// Looked up by its digest, so that how long it takes says nothing about tokens.
    func principal(token: some StringProtocol) -> Principal? {
        users[Secret.digest(token)]
    }
}
