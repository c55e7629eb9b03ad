/// A model's chat template: turns messages into the text the model was trained on.
public struct ChatTemplate: Sendable {
    public struct Message: Sendable, Hashable, Codable {
        public let role: String
        public let content: String
        public init(role: String, content: String) {
            self.role = role
            self.content = content
        }
    }

    private let nodes: [JinjaNode]

    public init(_ template: String) throws(ChatTemplateError) { nodes = try JinjaParser.parse(template) }

    public func render(
        _ messages: [Message], addGenerationPrompt: Bool, bosToken: String = "", eosToken: String = ""
    ) throws(ChatTemplateError) -> String {
        var scope: [String: JinjaValue] = [
            "messages": .list(messages.map { .map(["role": .string($0.role), "content": .string($0.content)]) }),
            "add_generation_prompt": .bool(addGenerationPrompt),
            "bos_token": .string(bosToken),
            "eos_token": .string(eosToken),
        ]
        var out = ""
        try run(nodes, &scope, &out)
        return out
    }

    private func run(_ nodes: [JinjaNode], _ scope: inout [String: JinjaValue], _ out: inout String)
        throws(ChatTemplateError)
    {
        for node in nodes {
            switch node {
            case .text(let text): out += text
            case .output(let expression, let line):
                switch try evaluate(expression, scope, line) {
                case .string(let text): out += text
                case .integer(let value): out += String(value)
                case .undefined: break
                case let other: throw ChatTemplateError(line: line, message: "cannot print \(other)")
                }
            case .set(let name, let expression, let line): scope[name] = try evaluate(expression, scope, line)
            case .condition(let branches, let otherwise):
                var chosen = otherwise
                for branch in branches where try evaluate(branch.test, scope, branch.line).isTrue {
                    chosen = branch.body
                    break
                }
                try run(chosen, &scope, &out)
            case .loop(let variable, let over, let body, let line):
                guard case .list(let items) = try evaluate(over, scope, line) else {
                    throw ChatTemplateError(line: line, message: "for needs a list")
                }
                // A loop's names end with it, as in Jinja.
                for (index, item) in items.enumerated() {
                    var inner = scope
                    inner[variable] = item
                    inner["loop"] = .map([
                        "first": .bool(index == 0), "last": .bool(index == items.count - 1),
                        "index": .integer(index + 1), "index0": .integer(index), "length": .integer(items.count),
                    ])
                    try run(body, &inner, &out)
                }
            }
        }
    }

    private func evaluate(_ expression: JinjaExpression, _ scope: [String: JinjaValue], _ line: Int)
        throws(ChatTemplateError) -> JinjaValue
    {
        switch expression {
        case .literal(let value): return value
        case .name(let name): return scope[name] ?? .undefined
        case .attribute(let base, let name):
            guard case .map(let fields) = try evaluate(base, scope, line) else {
                throw ChatTemplateError(line: line, message: "'.\(name)' of something without fields")
            }
            return fields[name] ?? .undefined
        case .subscripted(let base, let index):
            switch (try evaluate(base, scope, line), try evaluate(index, scope, line)) {
            case (.map(let fields), .string(let key)): return fields[key] ?? .undefined
            case (.list(let items), .integer(let at)):
                return items.indices.contains(at) ? items[at] : .undefined
            default: throw ChatTemplateError(line: line, message: "cannot index that")
            }
        case .add(let a, let b):
            switch (try evaluate(a, scope, line), try evaluate(b, scope, line)) {
            case (.string(let left), .string(let right)): return .string(left + right)
            case (.integer(let left), .integer(let right)): return .integer(left &+ right)
            default: throw ChatTemplateError(line: line, message: "+ needs two strings or two numbers")
            }
        case .equals(let a, let b): return .bool(try evaluate(a, scope, line) == evaluate(b, scope, line))
        case .not(let value): return .bool(!(try evaluate(value, scope, line).isTrue))
        case .and(let a, let b):
            let left = try evaluate(a, scope, line)
            return left.isTrue ? try evaluate(b, scope, line) : left
        case .or(let a, let b):
            let left = try evaluate(a, scope, line)
            return left.isTrue ? left : try evaluate(b, scope, line)
        case .isDefined(let value): return .bool(try evaluate(value, scope, line) != .undefined)
        case .subtract(let a, let b):
            let (left, right) = try integers(a, b, "-", scope, line)
            return .integer(left &- right)
        case .remainder(let a, let b):
            let (left, right) = try integers(a, b, "%", scope, line)
            guard right != 0, right != -1 else { throw ChatTemplateError(line: line, message: "% by \(right)") }
            // As in Python: of the divisor's sign.
            return .integer((left % right + right) % right)
        case .concatenate(let a, let b):
            return .string(
                try text(of: try evaluate(a, scope, line), line) + text(of: try evaluate(b, scope, line), line))
        case .less(let a, let b):
            let (left, right) = try integers(a, b, "<", scope, line)
            return .bool(left < right)
        case .contains(let item, let whole):
            let item = try evaluate(item, scope, line)
            switch (item, try evaluate(whole, scope, line)) {
            case (.string(let part), .string(let text)): return .bool(part.isEmpty || text.contains(part))
            case (_, .list(let items)): return .bool(items.contains(item))
            case (.string(let key), .map(let fields)): return .bool(fields[key] != nil)
            default: throw ChatTemplateError(line: line, message: "in needs a string, a list or a map")
            }
        case .filtered(let value, let filter): return try filter.apply(try evaluate(value, scope, line), line)
        }
    }

    private func integers(
        _ a: JinjaExpression, _ b: JinjaExpression, _ name: String, _ scope: [String: JinjaValue], _ line: Int
    ) throws(ChatTemplateError) -> (Int, Int) {
        guard
            case (.integer(let left), .integer(let right)) = (
                try evaluate(a, scope, line), try evaluate(b, scope, line)
            )
        else { throw ChatTemplateError(line: line, message: "\(name) needs two numbers") }
        return (left, right)
    }

    /// What printing gives.
    private func text(of value: JinjaValue, _ line: Int) throws(ChatTemplateError) -> String {
        switch value {
        case .string(let text): return text
        case .integer(let value): return String(value)
        case .undefined: return ""
        default: throw ChatTemplateError(line: line, message: "cannot print \(value)")
        }
    }
}

extension JinjaFilter {
    func apply(_ value: JinjaValue, _ line: Int) throws(ChatTemplateError) -> JinjaValue {
        switch (self, value) {
        case (.trim, .string(let text)):
            let kept = text.drop(while: \.isWhitespace)
            return .string(String(kept.prefix(kept.count - kept.reversed().prefix(while: \.isWhitespace).count)))
        case (.upper, .string(let text)): return .string(text.uppercased())
        case (.lower, .string(let text)): return .string(text.lowercased())
        case (.length, .string(let text)): return .integer(text.unicodeScalars.count)
        case (.length, .list(let items)): return .integer(items.count)
        case (.length, .map(let fields)): return .integer(fields.count)
        case (.tojson, _):
            guard let text = value.json else { throw ChatTemplateError(line: line, message: "tojson of nothing") }
            return .string(text)
        default: throw ChatTemplateError(line: line, message: "\(rawValue) does not take \(value)")
        }
    }
}

extension JinjaValue {
    /// As Python's json.dumps writes it; nil for what is undefined.
    fileprivate var json: String? {
        switch self {
        case .undefined: return nil
        case .none: return "null"
        case .bool(let value): return value ? "true" : "false"
        case .integer(let value): return String(value)
        case .string(let text):
            var out = "\""
            for scalar in text.unicodeScalars {
                switch scalar {
                case "\"": out += "\\\""
                case "\\": out += "\\\\"
                case "\n": out += "\\n"
                case "\r": out += "\\r"
                case "\t": out += "\\t"
                case _ where scalar.value < 32:
                    out += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
                default: out.unicodeScalars.append(scalar)
                }
            }
            return out + "\""
        case .list(let items):
            let parts = items.map(\.json)
            return parts.contains(nil) ? nil : "[" + parts.map { $0! }.joined(separator: ", ") + "]"
        case .map(let fields):
            let parts = fields.sorted { $0.key < $1.key }.map { key, value in
                value.json.map { (JinjaValue.string(key).json ?? "") + ": " + $0 }
            }
            return parts.contains(nil) ? nil : "{" + parts.map { $0! }.joined(separator: ", ") + "}"
        }
    }
}
