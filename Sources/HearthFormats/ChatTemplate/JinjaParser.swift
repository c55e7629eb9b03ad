/// Builds the tree of a template. What it does not know is an error with its line, never silently skipped.
struct JinjaParser {
    private var pieces: ArraySlice<JinjaLexer.Piece>

    static func parse(_ template: String) throws(ChatTemplateError) -> [JinjaNode] {
        var parser = JinjaParser(pieces: try JinjaLexer.pieces(of: template)[...])
        let (nodes, end) = try parser.nodes(until: [], opened: 1)
        precondition(end == nil)
        return nodes
    }

    private init(pieces: ArraySlice<JinjaLexer.Piece>) { self.pieces = pieces }

    private struct End {
        let keyword: String
        var expression: JinjaExpressionParser
        let line: Int
    }

    /// Nodes up to a block that begins with one of `keywords`, which is consumed.
    private mutating func nodes(until keywords: Set<String>, opened: Int) throws(ChatTemplateError)
        -> ([JinjaNode], End?)
    {
        var nodes: [JinjaNode] = []
        while let piece = pieces.popFirst() {
            switch piece {
            case .text(let text): nodes.append(.text(text))
            case .output(let source, let line):
                var expression = try JinjaExpressionParser(source, line: line)
                nodes.append(.output(try expression.parseWhole(), line: line))
            case .block(let source, let line):
                var expression = try JinjaExpressionParser(source, line: line)
                let keyword = try expression.takeName()
                if keywords.contains(keyword) {
                    return (nodes, End(keyword: keyword, expression: expression, line: line))
                }
                nodes.append(try block(keyword, &expression, line))
            }
        }
        if !keywords.isEmpty {
            throw ChatTemplateError(line: opened, message: "missing \(keywords.sorted().joined(separator: " or "))")
        }
        return (nodes, nil)
    }

    private mutating func block(_ keyword: String, _ expression: inout JinjaExpressionParser, _ line: Int)
        throws(ChatTemplateError) -> JinjaNode
    {
        switch keyword {
        case "for":
            let variable = try expression.takeName()
            guard try expression.takeName() == "in" else {
                throw ChatTemplateError(line: line, message: "for without in")
            }
            let over = try expression.parseWhole()
            let (body, _) = try nodes(until: ["endfor"], opened: line)
            return .loop(variable: variable, over: over, body: body, line: line)
        case "if": return try condition(&expression, line)
        case "set":
            let name = try expression.takeName()
            try expression.take("=")
            return .set(name, try expression.parseWhole(), line: line)
        default: throw ChatTemplateError(line: line, message: "block '\(keyword)' is not supported")
        }
    }

    private mutating func condition(_ expression: inout JinjaExpressionParser, _ line: Int) throws(ChatTemplateError)
        -> JinjaNode
    {
        var branches: [JinjaNode.Branch] = []
        var test = try expression.parseWhole()
        var testLine = line
        while true {
            let (body, end) = try nodes(until: ["elif", "else", "endif"], opened: testLine)
            branches.append(.init(test: test, body: body, line: testLine))
            guard var end, end.keyword != "endif" else { return .condition(branches: branches, otherwise: []) }
            if end.keyword == "else" {
                let (otherwise, _) = try nodes(until: ["endif"], opened: end.line)
                return .condition(branches: branches, otherwise: otherwise)
            }
            test = try end.expression.parseWhole()
            testLine = end.line
        }
    }
}

/// Precedence climbing over the tokens of one tag: or, and, not, comparison, + and -, ~, %, filters, postfix.
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

    private mutating func skip(_ token: JinjaToken) -> Bool {
        guard tokens.first == token else { return false }
        tokens.removeFirst()
        return true
    }

    mutating func parseWhole() throws(ChatTemplateError) -> JinjaExpression {
        let expression = try or()
        if let rest = tokens.first { throw error("unexpected \(rest)") }
        return expression
    }

    private mutating func or() throws(ChatTemplateError) -> JinjaExpression {
        depth += 1
        defer { depth -= 1 }
        guard depth < 64 else { throw error("expression nested too deeply") }
        var left = try and()
        while skip(.name("or")) { left = .or(left, try and()) }
        return left
    }

    private mutating func and() throws(ChatTemplateError) -> JinjaExpression {
        var left = try not()
        while skip(.name("and")) { left = .and(left, try not()) }
        return left
    }

    private mutating func not() throws(ChatTemplateError) -> JinjaExpression {
        var negations = 0
        while skip(.name("not")) { negations += 1 }
        let value = try comparison()
        return negations % 2 == 1 ? .not(value) : negations > 0 ? .not(.not(value)) : value
    }

    private mutating func comparison() throws(ChatTemplateError) -> JinjaExpression {
        let left = try sum()
        if skip(.symbol("==")) { return .equals(left, try sum()) }
        if skip(.symbol("!=")) { return .not(.equals(left, try sum())) }
        if skip(.symbol("<")) { return .less(left, try sum()) }
        if skip(.symbol(">")) { return .less(try sum(), left) }
        if skip(.symbol(">=")) { return .not(.less(left, try sum())) }
        if skip(.symbol("<=")) { return .not(.less(try sum(), left)) }
        if skip(.name("in")) { return .contains(left, in: try sum()) }
        if tokens.prefix(2) == [.name("not"), .name("in")] {
            tokens.removeFirst(2)
            return .not(.contains(left, in: try sum()))
        }
        guard skip(.name("is")) else { return left }
        let negated = skip(.name("not"))
        let test = try takeName()
        switch test {
        case "defined": return negated ? .not(.isDefined(left)) : .isDefined(left)
        case "none": return negated ? .not(.equals(left, .literal(.none))) : .equals(left, .literal(.none))
        default: throw error("test '\(test)' is not supported")
        }
    }

    private mutating func sum() throws(ChatTemplateError) -> JinjaExpression {
        try chain([("+", JinjaExpression.add), ("-", JinjaExpression.subtract)]) { parser throws(ChatTemplateError) in
            try parser.concatenation()
        }
    }

    private mutating func concatenation() throws(ChatTemplateError) -> JinjaExpression {
        try chain([("~", JinjaExpression.concatenate)]) { parser throws(ChatTemplateError) in try parser.remainder() }
    }

    private mutating func remainder() throws(ChatTemplateError) -> JinjaExpression {
        try chain([("%", JinjaExpression.remainder)]) { parser throws(ChatTemplateError) in try parser.filtered() }
    }

    /// Operands with operators of one rank between them, joined from the left.
    private mutating func chain(
        _ operators: [(symbol: String, join: (JinjaExpression, JinjaExpression) -> JinjaExpression)],
        _ operand: (inout Self) throws(ChatTemplateError) -> JinjaExpression
    ) throws(ChatTemplateError) -> JinjaExpression {
        var left = try operand(&self)
        while let next = operators.first(where: { tokens.first == .symbol($0.symbol) }) {
            tokens.removeFirst()
            left = next.join(left, try operand(&self))
        }
        return left
    }

    private mutating func filtered() throws(ChatTemplateError) -> JinjaExpression {
        var value = try postfix()
        while skip(.symbol("|")) {
            let name = try takeName()
            guard let filter = JinjaFilter(rawValue: name) else { throw error("filter '\(name)' is not supported") }
            value = .filtered(value, filter)
        }
        return value
    }

    private mutating func postfix() throws(ChatTemplateError) -> JinjaExpression {
        var value = try primary()
        while true {
            if skip(.symbol(".")) {
                value = .attribute(value, try takeName())
            } else if skip(.symbol("[")) {
                value = .subscripted(value, try or())
                try take("]")
            } else {
                return value
            }
        }
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
            let value = try or()
            try take(")")
            return value
        case let other: throw error(other.map { "unexpected \($0)" } ?? "the expression ends too early")
        }
    }
}
