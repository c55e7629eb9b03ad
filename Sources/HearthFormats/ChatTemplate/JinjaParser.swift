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
                if let node = try block(keyword, &expression, line) { nodes.append(node) }
            }
        }
        if !keywords.isEmpty {
            throw ChatTemplateError(line: opened, message: "missing \(keywords.sorted().joined(separator: " or "))")
        }
        return (nodes, nil)
    }

    private mutating func block(_ keyword: String, _ expression: inout JinjaExpressionParser, _ line: Int)
        throws(ChatTemplateError) -> JinjaNode?
    {
        switch keyword {
        case "for": return .loop(try loop(&expression, line))
        case "if": return try condition(&expression, line)
        case "set": return try set(&expression, line)
        case "macro":
            let name = try expression.takeName()
            let parameters = try expression.parseParameters()
            let (body, _) = try nodes(until: ["endmacro"], opened: line)
            return .macro(JinjaMacro(name: name, parameters: parameters, body: body, line: line))
        case "break": return .breakLoop
        case "continue": return .continueLoop
        // Marks what a trainer learns from: nothing to do here.
        case "generation", "endgeneration": return nil
        default: throw ChatTemplateError(line: line, message: "block '\(keyword)' is not supported")
        }
    }

    private mutating func loop(_ expression: inout JinjaExpressionParser, _ line: Int) throws(ChatTemplateError)
        -> JinjaNode.Loop
    {
        var variables = [try expression.takeName()]
        while expression.skip(.symbol(",")) { variables.append(try expression.takeName()) }
        guard expression.skip(.name("in")) else { throw ChatTemplateError(line: line, message: "for without in") }
        let over = try expression.parse()
        let condition = expression.skip(.name("if")) ? try expression.parse() : nil
        try expression.finish()
        let (body, end) = try nodes(until: ["else", "endfor"], opened: line)
        var otherwise: [JinjaNode] = []
        if let end, end.keyword == "else" { (otherwise, _) = try nodes(until: ["endfor"], opened: end.line) }
        return JinjaNode.Loop(
            variables: variables, over: over, condition: condition, body: body, otherwise: otherwise, line: line)
    }

    private mutating func set(_ expression: inout JinjaExpressionParser, _ line: Int) throws(ChatTemplateError)
        -> JinjaNode
    {
        let name = try expression.takeName()
        if expression.isAtEnd {
            let (body, _) = try nodes(until: ["endset"], opened: line)
            return .setBlock(name, body)
        }
        let target: JinjaNode.Target =
            expression.skip(.symbol(".")) ? .attribute(name, try expression.takeName()) : .name(name)
        try expression.take("=")
        return .set(target, try expression.parseWhole(), line: line)
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
