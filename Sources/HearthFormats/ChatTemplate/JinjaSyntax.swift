/// The part of Jinja that chat templates use: expressions.
indirect enum JinjaExpression: Sendable {
    case literal(JinjaValue)
    case name(String)
    case list([JinjaExpression])
    case map([(key: JinjaExpression, value: JinjaExpression)])
    case attribute(JinjaExpression, String)
    case subscripted(JinjaExpression, JinjaExpression)
    case slice(JinjaExpression, from: JinjaExpression?, to: JinjaExpression?, step: JinjaExpression?)
    case call(JinjaExpression, JinjaArguments)
    case filtered(JinjaExpression, String, JinjaArguments)
    case tested(JinjaExpression, String, JinjaArguments)
    case joined(JinjaExpression, Operator, JinjaExpression)
    case not(JinjaExpression)
    case negative(JinjaExpression)
    /// The first where the second is true; the third, or nothing, where it is not.
    case conditional(JinjaExpression, if: JinjaExpression, otherwise: JinjaExpression?)

    enum Operator: String, Sendable {
        case add = "+"
        case subtract = "-"
        case multiply = "*"
        case quotient = "//"
        case remainder = "%"
        /// The texts of both.
        case concatenate = "~"
        case equal = "=="
        case less = "<"
        case contains = "in"
        case and, or
    }
}

struct JinjaArguments: Sendable {
    var positional: [JinjaExpression] = []
    var named: [(name: String, value: JinjaExpression)] = []
}

/// What stands between the texts of a template.
indirect enum JinjaNode: Sendable {
    case text(String)
    case output(JinjaExpression, line: Int)
    case loop(Loop)
    case condition(branches: [Branch], otherwise: [JinjaNode])
    case set(Target, JinjaExpression, line: Int)
    case setBlock(String, [JinjaNode])
    case macro(JinjaMacro)
    case breakLoop, continueLoop

    struct Branch: Sendable {
        let test: JinjaExpression
        let body: [JinjaNode]
        let line: Int
    }

    struct Loop: Sendable {
        /// One, or those that an item is taken apart into.
        let variables: [String]
        let over: JinjaExpression
        let condition: JinjaExpression?
        let body, otherwise: [JinjaNode]
        let line: Int
    }

    enum Target: Sendable {
        case name(String)
        /// Of a namespace, which outlives the loop it is changed in.
        case attribute(String, String)
    }
}

struct JinjaMacro: Sendable {
    let name: String
    let parameters: [(name: String, fallback: JinjaExpression?)]
    let body: [JinjaNode]
    let line: Int
}

/// A template that cannot be read or run: the line and what is wrong with it.
public struct ChatTemplateError: Error, Sendable, CustomStringConvertible {
    public let line: Int
    public let message: String
    public var description: String { "chat template line \(line): \(message)" }
}
