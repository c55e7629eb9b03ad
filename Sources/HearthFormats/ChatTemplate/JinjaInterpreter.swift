/// Runs a template's tree.
struct JinjaInterpreter {
    typealias Scope = [String: JinjaValue]
    private(set) var out = ""
    private var steps = 0
    private var depth = 0

    /// A template that does more is broken: files come from elsewhere.
    private static let maximumSteps = 1 << 20
    private static let maximumDepth = 64

    private enum Flow { case on, next, out }

    mutating func run(_ nodes: [JinjaNode], _ scope: inout Scope) throws(ChatTemplateError) {
        _ = try runAll(nodes, &scope)
    }

    private mutating func runAll(_ nodes: [JinjaNode], _ scope: inout Scope) throws(ChatTemplateError) -> Flow {
        for node in nodes {
            let flow = try run(node, &scope)
            if flow != .on { return flow }
        }
        return .on
    }

    private mutating func run(_ node: JinjaNode, _ scope: inout Scope) throws(ChatTemplateError) -> Flow {
        steps += 1
        switch node {
        case .text(let text): out += text
        case .output(let expression, let line): out += try text(of: try evaluate(expression, scope, line), line)
        case .set(.name(let name), let expression, let line): scope[name] = try evaluate(expression, scope, line)
        case .set(.attribute(let name, let field), let expression, let line):
            guard case .namespace(let space)? = scope[name] else {
                throw ChatTemplateError(line: line, message: "'\(name)' is no namespace")
            }
            space.fields[field] = try evaluate(expression, scope, line)
        case .setBlock(let name, let body): scope[name] = .string(try captured(body, &scope))
        case .macro(let macro): scope[macro.name] = .macro(macro)
        case .condition(let branches, let otherwise):
            for branch in branches where try evaluate(branch.test, scope, branch.line).isTrue {
                return try runAll(branch.body, &scope)
            }
            return try runAll(otherwise, &scope)
        case .loop(let loop): return try run(loop, &scope)
        case .breakLoop: return .out
        case .continueLoop: return .next
        }
        return .on
    }

    private mutating func captured(_ body: [JinjaNode], _ scope: inout Scope) throws(ChatTemplateError) -> String {
        let before = out
        out = ""
        defer { out = before }
        try run(body, &scope)
        return out
    }

    private mutating func run(_ loop: JinjaNode.Loop, _ scope: inout Scope) throws(ChatTemplateError) -> Flow {
        var items: [JinjaValue]
        switch try evaluate(loop.over, scope, loop.line) {
        case .list(let values): items = values
        case .map(let fields): items = fields.keys.sorted().map(JinjaValue.string)
        case .string(let text): items = text.unicodeScalars.map { .string(String($0)) }
        case .undefined: items = []
        case let other: throw ChatTemplateError(line: loop.line, message: "for needs a list, not \(other.kind)")
        }
        func bound(_ item: JinjaValue) throws(ChatTemplateError) -> Scope {
            var inner = scope
            if loop.variables.count == 1 {
                inner[loop.variables[0]] = item
            } else {
                guard case .list(let parts) = item, parts.count == loop.variables.count else {
                    throw ChatTemplateError(line: loop.line, message: "an item is not \(loop.variables.count) values")
                }
                for (name, part) in zip(loop.variables, parts) { inner[name] = part }
            }
            return inner
        }
        if let condition = loop.condition {
            var kept: [JinjaValue] = []
            for item in items where try evaluate(condition, try bound(item), loop.line).isTrue { kept.append(item) }
            items = kept
        }
        if items.isEmpty { return try runAll(loop.otherwise, &scope) }
        // A loop's names end with it, as in Jinja.
        for (index, item) in items.enumerated() {
            var inner = try bound(item)
            inner["loop"] = .map([
                "first": .bool(index == 0), "last": .bool(index == items.count - 1), "index": .integer(index + 1),
                "index0": .integer(index), "length": .integer(items.count), "revindex": .integer(items.count - index),
                "revindex0": .integer(items.count - index - 1),
                "previtem": index > 0 ? items[index - 1] : .undefined,
                "nextitem": index + 1 < items.count ? items[index + 1] : .undefined,
            ])
            if try runAll(loop.body, &inner) == .out { break }
        }
        return .on
    }

    private func text(of value: JinjaValue, _ line: Int) throws(ChatTemplateError) -> String {
        guard let text = value.text else { throw ChatTemplateError(line: line, message: "cannot print \(value.kind)") }
        return text
    }

    // MARK: Expressions

    private mutating func evaluate(
        _ expression: JinjaExpression, _ scope: Scope, _ line: Int
    ) throws(ChatTemplateError) -> JinjaValue {
        steps += 1
        guard steps <= Self.maximumSteps else {
            throw ChatTemplateError(line: line, message: "the template runs too long")
        }
        func problem(_ message: String) -> ChatTemplateError { ChatTemplateError(line: line, message: message) }
        switch expression {
        case .literal(let value): return value
        case .name(let name): return scope[name] ?? .undefined
        case .list(let items):
            var values: [JinjaValue] = []
            for item in items { values.append(try evaluate(item, scope, line)) }
            return .list(values)
        case .map(let items):
            var fields: Scope = [:]
            for (key, value) in items {
                guard case .string(let key) = try evaluate(key, scope, line) else {
                    throw problem("a key is no string")
                }
                fields[key] = try evaluate(value, scope, line)
            }
            return .map(fields)
        case .attribute(let base, let name):
            let value = try evaluate(base, scope, line)
            if case .undefined = value { throw problem("'.\(name)' of something undefined") }
            return JinjaBuiltins.field(name, of: value)
        case .subscripted(let base, let index):
            return try subscripted(try evaluate(base, scope, line), try evaluate(index, scope, line), line)
        case .slice(let base, let from, let to, let step):
            func bound(_ part: JinjaExpression?, _ interpreter: inout Self) throws(ChatTemplateError) -> Int? {
                guard let part else { return nil }
                switch try interpreter.evaluate(part, scope, line) {
                case .integer(let value): return value
                case .none: return nil
                default: throw ChatTemplateError(line: line, message: "a slice is between numbers")
                }
            }
            let (from, to, step) = (try bound(from, &self), try bound(to, &self), try bound(step, &self))
            guard step != 0 else { throw problem("a slice of step 0") }
            switch try evaluate(base, scope, line) {
            case .list(let items): return .list(Self.slice(items, from, to, step ?? 1))
            case .string(let text):
                var scalars = String.UnicodeScalarView()
                scalars.append(contentsOf: Self.slice(Array(text.unicodeScalars), from, to, step ?? 1))
                return .string(String(scalars))
            case let other: throw problem("cannot slice \(other.kind)")
            }
        case .not(let value): return .bool(!(try evaluate(value, scope, line).isTrue))
        case .negative(let value):
            guard case .integer(let number) = try evaluate(value, scope, line) else {
                throw problem("- needs a number")
            }
            return .integer(0 &- number)
        case .conditional(let value, let test, let otherwise):
            if try evaluate(test, scope, line).isTrue { return try evaluate(value, scope, line) }
            return try otherwise.map { other throws(ChatTemplateError) in try evaluate(other, scope, line) }
                ?? .undefined
        case .joined(let a, let operation, let b): return try joined(a, operation, b, scope, line)
        case .filtered(let value, let name, let arguments):
            let (value, arguments) = (try evaluate(value, scope, line), try values(arguments, scope, line))
            return try builtin(line) { () throws(JinjaBuiltins.Unsupported) in
                try JinjaBuiltins.filter(name, value, arguments)
            }
        case .tested(let value, let name, let arguments):
            let (value, arguments) = (try evaluate(value, scope, line), try values(arguments, scope, line))
            return .bool(
                try builtin(line) { () throws(JinjaBuiltins.Unsupported) in
                    try JinjaBuiltins.test(name, value, arguments)
                })
        case .call(let callee, let arguments): return try call(callee, arguments, scope, line)
        }
    }

    private func builtin<T>(
        _ line: Int, _ body: () throws(JinjaBuiltins.Unsupported) -> T
    ) throws(ChatTemplateError) -> T {
        do { return try body() } catch { throw ChatTemplateError(line: line, message: error.message) }
    }

    private mutating func values(
        _ arguments: JinjaArguments, _ scope: Scope, _ line: Int
    ) throws(ChatTemplateError) -> JinjaBuiltins.Arguments {
        var values = JinjaBuiltins.Arguments(positional: [], named: [:])
        for argument in arguments.positional { values.positional.append(try evaluate(argument, scope, line)) }
        for (name, argument) in arguments.named { values.named[name] = try evaluate(argument, scope, line) }
        return values
    }

    private mutating func call(
        _ callee: JinjaExpression, _ arguments: JinjaArguments, _ scope: Scope, _ line: Int
    ) throws(ChatTemplateError) -> JinjaValue {
        let values = try self.values(arguments, scope, line)
        if case .attribute(let base, let name) = callee {
            let value = try evaluate(base, scope, line)
            return try builtin(line) { () throws(JinjaBuiltins.Unsupported) in
                try JinjaBuiltins.method(name, of: value, values)
            }
        }
        guard case .name(let name) = callee else {
            throw ChatTemplateError(line: line, message: "that cannot be called")
        }
        guard case .macro(let macro)? = scope[name] else {
            return try builtin(line) { () throws(JinjaBuiltins.Unsupported) in try JinjaBuiltins.function(name, values)
            }
        }
        depth += 1
        defer { depth -= 1 }
        guard depth < Self.maximumDepth else {
            throw ChatTemplateError(line: line, message: "macros call each other too deep")
        }
        var inner = scope
        for (index, parameter) in macro.parameters.enumerated() {
            if values.positional.indices.contains(index) {
                inner[parameter.name] = values.positional[index]
            } else if let value = values.named[parameter.name] {
                inner[parameter.name] = value
            } else {
                inner[parameter.name] =
                    try parameter.fallback.map { fallback throws(ChatTemplateError) in
                        try evaluate(fallback, scope, macro.line)
                    } ?? .undefined
            }
        }
        return .string(try captured(macro.body, &inner))
    }

    private func subscripted(
        _ base: JinjaValue, _ index: JinjaValue, _ line: Int
    ) throws(ChatTemplateError) -> JinjaValue {
        switch (base, index) {
        case (.map, .string(let key)), (.namespace, .string(let key)): return JinjaBuiltins.field(key, of: base)
        case (.list(let items), .integer(let at)):
            let at = at < 0 ? items.count + at : at
            return items.indices.contains(at) ? items[at] : .undefined
        case (.string(let text), .integer(let at)):
            let scalars = Array(text.unicodeScalars)
            let at = at < 0 ? scalars.count + at : at
            return scalars.indices.contains(at) ? .string(String(scalars[at])) : .undefined
        default: throw ChatTemplateError(line: line, message: "cannot look into \(base.kind) with \(index.kind)")
        }
    }

    /// Python's slices.
    private static func slice<T>(_ items: [T], _ from: Int?, _ to: Int?, _ step: Int) -> [T] {
        func clamped(_ bound: Int, _ low: Int, _ high: Int) -> Int {
            min(max(bound < 0 ? items.count + bound : bound, low), high)
        }
        if step > 0 {
            let (first, end) = (clamped(from ?? 0, 0, items.count), clamped(to ?? items.count, 0, items.count))
            return stride(from: first, to: end, by: step).map { items[$0] }
        }
        let first = from.map { clamped($0, -1, items.count - 1) } ?? items.count - 1
        let end = to.map { clamped($0, -1, items.count - 1) } ?? -1
        return stride(from: first, to: end, by: step).map { items[$0] }
    }

    private mutating func joined(
        _ a: JinjaExpression, _ operation: JinjaExpression.Operator, _ b: JinjaExpression, _ scope: Scope, _ line: Int
    ) throws(ChatTemplateError) -> JinjaValue {
        let left = try evaluate(a, scope, line)
        if operation == .and { return left.isTrue ? try evaluate(b, scope, line) : left }
        if operation == .or { return left.isTrue ? left : try evaluate(b, scope, line) }
        let right = try evaluate(b, scope, line)
        switch (operation, left, right) {
        case (.equal, _, _): return .bool(JinjaValue.equal(left, right))
        case (.contains, _, _):
            return .bool(
                try builtin(line) { () throws(JinjaBuiltins.Unsupported) in try JinjaBuiltins.contains(right, left) })
        case (.concatenate, _, _): return .string(try text(of: left, line) + text(of: right, line))
        case (.add, .string(let a), .string(let b)): return .string(a + b)
        case (.add, .list(let a), .list(let b)): return .list(a + b)
        case (.add, .integer(let a), .integer(let b)): return .integer(a &+ b)
        case (.subtract, .integer(let a), .integer(let b)): return .integer(a &- b)
        case (.multiply, .integer(let a), .integer(let b)): return .integer(a &* b)
        case (.less, .integer(let a), .integer(let b)): return .bool(a < b)
        case (.less, .string(let a), .string(let b)):
            return .bool(a.unicodeScalars.lexicographicallyPrecedes(b.unicodeScalars))
        case (.quotient, .integer(let a), .integer(let b)) where b != 0 && b != -1:
            // As in Python: towards the lesser.
            return .integer((a - (a % b + b) % b) / b)
        case (.remainder, .integer(let a), .integer(let b)) where b != 0 && b != -1:
            // As in Python: of the divisor's sign.
            return .integer((a % b + b) % b)
        default:
            throw ChatTemplateError(
                line: line, message: "\(operation.rawValue) does not take \(left.kind) and \(right.kind)")
        }
    }
}
