/// The part of Jinja that chat templates of the supported models use.
indirect enum JinjaExpression: Sendable, Equatable {
    case literal(JinjaValue)
    case name(String)
    case attribute(JinjaExpression, String)
    case subscripted(JinjaExpression, JinjaExpression)
    case add(JinjaExpression, JinjaExpression)
    case subtract(JinjaExpression, JinjaExpression)
    case remainder(JinjaExpression, JinjaExpression)
    /// `~`: the texts of both.
    case concatenate(JinjaExpression, JinjaExpression)
    case less(JinjaExpression, JinjaExpression)
    case contains(JinjaExpression, in: JinjaExpression)
    case equals(JinjaExpression, JinjaExpression)
    case not(JinjaExpression)
    case and(JinjaExpression, JinjaExpression)
    case or(JinjaExpression, JinjaExpression)
    case isDefined(JinjaExpression)
    case filtered(JinjaExpression, JinjaFilter)
}

enum JinjaFilter: String, Sendable { case trim, upper, lower, length, tojson }

indirect enum JinjaNode: Sendable, Equatable {
    case text(String)
    case output(JinjaExpression, line: Int)
    case loop(variable: String, over: JinjaExpression, body: [JinjaNode], line: Int)
    case condition(branches: [Branch], otherwise: [JinjaNode])
    case set(String, JinjaExpression, line: Int)

    struct Branch: Sendable, Equatable {
        let test: JinjaExpression
        let body: [JinjaNode]
        let line: Int
    }
}

enum JinjaValue: Sendable, Equatable {
    case undefined, none
    case bool(Bool)
    case integer(Int)
    case string(String)
    case list([JinjaValue])
    case map([String: JinjaValue])

    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .string(let value): !value.isEmpty
        case .list(let value): !value.isEmpty
        case .map(let value): !value.isEmpty
        }
    }
}

/// A template that cannot be read or run: the line and what is wrong with it.
public struct ChatTemplateError: Error, Sendable, CustomStringConvertible {
    public let line: Int
    public let message: String
    public var description: String { "chat template line \(line): \(message)" }
}
