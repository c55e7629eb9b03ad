/// Precedence climbing over the tokens of one tag: if, or, and, not, comparison, + and -, ~, * and // and %, minus, filters,
/// postfix.
struct JinjaExpressionParser {
    private var tokens: ArraySlice<JinjaToken>
    private let line: Int
    private var depth = 0

    init(_ source: String, line: Int) throws(ChatTemplateError) {
        tokens = try JinjaToken.tokens(of: source, line: line)[...]
        self.line = line
    }

    private func error(_ message: String) -> ChatTemplateError { ChatTemplateError(line: line, message: message) }

    mutating func takeName() throws(ChatTemplateError) -> String {
        guard case .name(let name)? = tokens.popFirst() else { throw error("expected a name") }
        return name
    }

    mutating func take(_ symbol: String) throws(ChatTemplateError) {
        guard tokens.popFirst() == .symbol(symbol) else { throw error("expected '\(symbol)'") }
    }

    mutating func skip(_ token: JinjaToken) -> Bool {
        guard tokens.first == token else { return false }
        tokens.removeFirst()
        return true
    }

    var isAtEnd: Bool { tokens.isEmpty }

    func finish() throws(ChatTemplateError) {
        if let rest = tokens.first { throw error("unexpected \(rest)") }
    }

    mutating func parseWhole() throws(ChatTemplateError) -> JinjaExpression {
        let expression = try conditional()
        try finish()
        return expression
    }

    /// Without an `if`, which in a loop begins its condition.
    mutating func parse() throws(ChatTemplateError) -> JinjaExpression { try or() }

    private mutating func conditional() throws(ChatTemplateError) -> JinjaExpression {
        let value = try or()
        guard skip(.name("if")) else { return value }
        let test = try or()
        return .conditional(value, if: test, otherwise: skip(.name("else")) ? try conditional() : nil)
    }

    private mutating func or() throws(ChatTemplateError) -> JinjaExpression {
        depth += 1
        defer { depth -= 1 }
        guard depth < 64 else { throw error("expression nested too deeply") }
        var left = try and()
        while skip(.name("or")) { left = .joined(left, .or, try and()) }
        return left
    }

    private mutating func and() throws(ChatTemplateError) -> JinjaExpression {
        var left = try not()
        while skip(.name("and")) { left = .joined(left, .and, try not()) }
        return left
    }

    private mutating func not() throws(ChatTemplateError) -> JinjaExpression {
        var negations = 0
        while skip(.name("not")) { negations += 1 }
        let value = try comparison()
        return negations % 2 == 1 ? .not(value) : negations > 0 ? .not(.not(value)) : value
    }

    private mutating func comparison() throws(ChatTemplateError) -> JinjaExpression {
        var left = try sum()
        while true {
            if skip(.symbol("==")) {
                left = .joined(left, .equal, try sum())
            } else if skip(.symbol("!=")) {
                left = .not(.joined(left, .equal, try sum()))
            } else if skip(.symbol("<")) {
                left = .joined(left, .less, try sum())
            } else if skip(.symbol(">")) {
                left = .joined(try sum(), .less, left)
            } else if skip(.symbol(">=")) {
                left = .not(.joined(left, .less, try sum()))
            } else if skip(.symbol("<=")) {
                left = .not(.joined(try sum(), .less, left))
            } else if skip(.name("in")) {
                left = .joined(left, .contains, try sum())
            } else if tokens.prefix(2) == [.name("not"), .name("in")] {
                tokens.removeFirst(2)
                left = .not(.joined(left, .contains, try sum()))
            } else if skip(.name("is")) {
                let isNegated = skip(.name("not"))
                let name = try takeName()
                guard JinjaBuiltins.tests.contains(name) else { throw error("test '\(name)' is not supported") }
                let arguments = tokens.first == .symbol("(") ? try self.arguments() : JinjaArguments()
                left = .tested(left, name, arguments)
                if isNegated { left = .not(left) }
            } else {
                return left
            }
        }
    }

    private mutating func sum() throws(ChatTemplateError) -> JinjaExpression {
        try chain([.add, .subtract]) { parser throws(ChatTemplateError) in try parser.concatenation() }
    }

    private mutating func concatenation() throws(ChatTemplateError) -> JinjaExpression {
        try chain([.concatenate]) { parser throws(ChatTemplateError) in try parser.product() }
    }

    private mutating func product() throws(ChatTemplateError) -> JinjaExpression {
        try chain([.multiply, .quotient, .remainder]) { parser throws(ChatTemplateError) in try parser.negative() }
    }

    private mutating func negative() throws(ChatTemplateError) -> JinjaExpression {
        skip(.symbol("-")) ? .negative(try filtered()) : try filtered()
    }

    /// Operands with operators of one rank between them, joined from the left.
    private mutating func chain(
        _ operators: [JinjaExpression.Operator],
        _ operand: (inout Self) throws(ChatTemplateError) -> JinjaExpression
    ) throws(ChatTemplateError) -> JinjaExpression {
        var left = try operand(&self)
        while let next = operators.first(where: { tokens.first == .symbol($0.rawValue) }) {
            tokens.removeFirst()
            left = .joined(left, next, try operand(&self))
        }
        return left
    }

    private mutating func filtered() throws(ChatTemplateError) -> JinjaExpression {
        var value = try postfix()
        while skip(.symbol("|")) {
            let name = try takeName()
            guard JinjaBuiltins.filters.contains(name) else { throw error("filter '\(name)' is not supported") }
            let arguments = tokens.first == .symbol("(") ? try self.arguments() : JinjaArguments()
            value = .filtered(value, name, arguments)
        }
        return value
    }

    private mutating func postfix() throws(ChatTemplateError) -> JinjaExpression {
        var value = try primary()
        while true {
            if skip(.symbol(".")) {
                value = .attribute(value, try takeName())
            } else if skip(.symbol("[")) {
                value = try subscripted(value)
            } else if tokens.first == .symbol("(") {
                value = .call(value, try arguments())
            } else {
                return value
            }
        }
    }

    private mutating func subscripted(_ base: JinjaExpression) throws(ChatTemplateError) -> JinjaExpression {
        var parts: [JinjaExpression?] = []
        var colons = 0
        while true {
            let isEmpty = tokens.first == .symbol(":") || tokens.first == .symbol("]")
            parts.append(isEmpty ? nil : try conditional())
            guard skip(.symbol(":")) else { break }
            colons += 1
        }
        try take("]")
        if colons == 0, let index = parts[0] { return .subscripted(base, index) }
        guard (1...2).contains(colons) else { throw error("a malformed subscript") }
        return .slice(base, from: parts[0], to: parts[1], step: parts.count > 2 ? parts[2] : nil)
    }

    private mutating func arguments() throws(ChatTemplateError) -> JinjaArguments {
        try take("(")
        var arguments = JinjaArguments()
        while !skip(.symbol(")")) {
            if case .name(let name)? = tokens.first, tokens.dropFirst().first == .symbol("=") {
                tokens.removeFirst(2)
                arguments.named.append((name, try conditional()))
            } else {
                arguments.positional.append(try conditional())
            }
            if !skip(.symbol(",")), tokens.first != .symbol(")") { throw error("expected ',' or ')'") }
        }
        return arguments
    }

    /// Of a macro: names, perhaps with what they are where a call does not say.
    mutating func parseParameters() throws(ChatTemplateError) -> [(name: String, fallback: JinjaExpression?)] {
        try take("(")
        var parameters: [(name: String, fallback: JinjaExpression?)] = []
        while !skip(.symbol(")")) {
            let name = try takeName()
            parameters.append((name, skip(.symbol("=")) ? try conditional() : nil))
            if !skip(.symbol(",")), tokens.first != .symbol(")") { throw error("expected ',' or ')'") }
        }
        try finish()
        return parameters
    }

    private mutating func primary() throws(ChatTemplateError) -> JinjaExpression {
        switch tokens.popFirst() {
        case .string(let text): return .literal(.string(text))
        case .integer(let value): return .literal(.integer(value))
        case .name("true"), .name("True"): return .literal(.bool(true))
        case .name("false"), .name("False"): return .literal(.bool(false))
        case .name("none"), .name("None"): return .literal(.none)
        case .name(let name): return .name(name)
        case .symbol("("):
            let value = try conditional()
            try take(")")
            return value
        case .symbol("["):
            var items: [JinjaExpression] = []
            while !skip(.symbol("]")) {
                items.append(try conditional())
                if !skip(.symbol(",")), tokens.first != .symbol("]") { throw error("expected ',' or ']'") }
            }
            return .list(items)
        case .symbol("{"):
            var items: [(key: JinjaExpression, value: JinjaExpression)] = []
            while !skip(.symbol("}")) {
                let key = try conditional()
                try take(":")
                items.append((key, try conditional()))
                if !skip(.symbol(",")), tokens.first != .symbol("}") { throw error("expected ',' or '}'") }
            }
            return .map(items)
        case let other: throw error(other.map { "unexpected \($0)" } ?? "the expression ends too early")
        }
    }
}
