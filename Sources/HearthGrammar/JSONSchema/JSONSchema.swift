import HearthJSON

extension Grammar {
    /// JSON that is valid against a schema, as a model is to write it: properties in the schema's order, and those that the
    /// schema does not name only where `additionalProperties` asks for them.
    ///
    /// Not enforced, since no grammar can or no model needs it: `uniqueItems`, `multipleOf`, bounds of numbers that are not
    /// whole, numbers of properties, formats other than dates, times and UUIDs, lengths beside a pattern, that only one of `oneOf`
    /// holds. Refused: `not`, `if`, `patternProperties`, `contains`, `unevaluatedProperties`, references to other documents, what
    /// cannot be merged in `allOf` or beside `$ref`, and anything but `type` beside `const` and `enum`.
    ///
    /// - Throws: `GrammarError` naming the place in the schema.
    /// - Source: JSON Schema 2020-12; the order of properties is llama.cpp's and OpenAI's custom.
    public init(jsonSchema schema: JSONValue) throws(GrammarError) {
        var compiler = SchemaCompiler(schema)
        try self.init(rules: try compiler.rules(), root: "root")
    }

    /// Any JSON object.
    public static func jsonObject() throws(GrammarError) -> Grammar {
        try Grammar(rules: JSONRules.rules + [("root", JSONRules.object)], root: "root")
    }
}

/// Turns a schema into rules over those of JSON.
struct SchemaCompiler {
    private let root: JSONValue
    private var made: [(name: String, expression: Expression)] = []
    /// Rules of what `$ref` points to, which may point to itself.
    private var references: [String: String] = [:]
    private var depth = 0
    /// What may still be read and made: references that are merged multiply.
    private var budget = 1 << 18

    private static let refused = [
        "not", "if", "then", "else", "patternProperties", "dependentSchemas", "dependentRequired", "propertyNames",
        "contains", "$dynamicRef", "unevaluatedItems", "unevaluatedProperties",
    ]

    init(_ schema: JSONValue) { root = schema }

    mutating func rules() throws(GrammarError) -> [(name: String, expression: Expression)] {
        let expression = try self.expression(root, "#")
        return JSONRules.rules + made + [("root", expression)]
    }

    func error(_ path: String, _ problem: String) -> GrammarError { GrammarError("\(path): \(problem)") }

    mutating func rule(_ expression: Expression) -> Expression {
        made.append(("made-\(made.count)", expression))
        return .rule(made.last!.name)
    }

    mutating func expression(_ schema: JSONValue, _ path: String) throws(GrammarError) -> Expression {
        try enter(path)
        defer { depth -= 1 }
        if schema == .bool(true) { return JSONRules.value }
        if schema == .bool(false) { throw error(path, "nothing is valid against false") }
        guard let members = schema.members else { throw error(path, "a schema is an object, true or false") }
        if let member = members.first(where: { Self.refused.contains($0.key) }) {
            throw error(path, "'\(member.key)' is not supported")
        }
        try spend(members.count, path)
        let asked = members.filter { !Self.annotations.contains($0.key) }
        if let reference = schema["$ref"] {
            if asked.count == 1 { return try referenced(reference, path) }
            let rest = JSONValue.object(members.filter { $0.key != "$ref" })
            let target = JSONValue.object([.init(key: "$ref", value: reference)])
            return try expression(try merged([rest, target], path), path)
        }
        for key in ["const", "enum"] where schema[key] != nil {
            if let other = asked.first(where: { $0.key != key && $0.key != "type" }) {
                throw error(path, "'\(other.key)' beside '\(key)' is not supported")
            }
        }
        if let value = schema["const"] { return try literal(value, path) }
        if let values = schema["enum"] {
            guard let values = values.array, !values.isEmpty else { throw error(path, "enum is a list of values") }
            var choices: [Expression] = []
            for value in values { choices.append(try literal(value, path)) }
            return .choice(choices)
        }
        for key in ["anyOf", "oneOf"] {
            guard let options = schema[key] else { continue }
            guard let options = options.array, !options.isEmpty else {
                throw error(path, "\(key) is a list of schemas")
            }
            let rest = JSONValue.object(members.filter { $0.key != key })
            var choices: [Expression] = []
            for (index, option) in options.enumerated() {
                let place = "\(path)/\(key)/\(index)"
                choices.append(try expression(try merged([rest, option], place), place))
            }
            return .choice(choices)
        }
        if let parts = schema["allOf"] {
            guard let parts = parts.array, !parts.isEmpty else { throw error(path, "allOf is a list of schemas") }
            let rest = JSONValue.object(members.filter { $0.key != "allOf" })
            return try expression(try merged([rest] + parts, path + "/allOf"), path)
        }
        return try typed(schema, path)
    }

    private mutating func enter(_ path: String) throws(GrammarError) {
        try spend(1, path)
        depth += 1
        if depth > 64 { throw error(path, "schemas are nested more than 64 deep") }
    }

    mutating func spend(_ amount: Int, _ path: String) throws(GrammarError) {
        budget -= amount
        if budget < 0 { throw error(path, "the schema is too large, or its references come to too much") }
    }

    private mutating func literal(_ value: JSONValue, _ path: String) throws(GrammarError) -> Expression {
        let text = value.text
        try spend(text.utf8.count, path)
        return .text(text)
    }

    private mutating func typed(_ schema: JSONValue, _ path: String) throws(GrammarError) -> Expression {
        if let types = schema["type"]?.array {
            var choices: [Expression] = []
            for type in types {
                try spend(1 + (schema.members?.count ?? 0), path)
                choices.append(try expression(of: type.string ?? "?", schema, path))
            }
            guard !choices.isEmpty else { throw error(path, "type is an empty list") }
            return .choice(choices)
        }
        if let type = schema["type"] { return try expression(of: type.string ?? "?", schema, path) }
        let hints: [(type: String, keys: [String])] = [
            ("object", ["properties", "required", "additionalProperties"]),
            ("array", ["items", "prefixItems", "minItems", "maxItems"]),
            ("string", ["pattern", "minLength", "maxLength", "format"]),
            ("number", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]),
        ]
        for hint in hints where hint.keys.contains(where: { schema[$0] != nil }) {
            return try expression(of: hint.type, schema, path)
        }
        return JSONRules.value
    }

    mutating func expression(
        of type: String, _ schema: JSONValue, _ path: String
    ) throws(GrammarError) -> Expression {
        switch type {
        case "object": return try object(schema, path)
        case "array": return try array(schema, path)
        case "string": return try string(schema, path)
        case "integer": return try integer(schema, path)
        case "number": return JSONRules.number
        case "boolean": return JSONRules.boolean
        case "null": return JSONRules.null
        default: throw error(path, "type '\(type)' is none of JSON Schema's")
        }
    }

    // MARK: References and merging

    private mutating func resolve(_ reference: String, _ path: String) throws(GrammarError) -> JSONValue {
        try spend(1 + reference.utf8.count, path)
        guard reference == "#" || reference.hasPrefix("#/") else {
            throw error(path, "$ref '\(reference)' points out of the schema")
        }
        var place = root
        for part in reference.split(separator: "/").dropFirst() {
            let key = String(part.replacing("~1", with: "/").replacing("~0", with: "~"))
            let next =
                place[key]
                ?? Int(key).flatMap { index in
                    place.array.flatMap { $0.indices.contains(index) ? $0[index] : nil }
                }
            guard let next else { throw error(path, "$ref '\(reference)' points to nothing") }
            place = next
        }
        return place
    }

    private mutating func referenced(_ reference: JSONValue, _ path: String) throws(GrammarError) -> Expression {
        guard let reference = reference.string else { throw error(path, "$ref is a string") }
        if let known = references[reference] { return .rule(known) }
        let name = "reference-\(references.count)"
        references[reference] = name
        let target = try expression(try resolve(reference, path), reference)
        made.append((name, target))
        return .rule(name)
    }

    /// One schema that asks for all of `parts`.
    private mutating func merged(_ parts: [JSONValue], _ path: String) throws(GrammarError) -> JSONValue {
        try enter(path)
        defer { depth -= 1 }
        // A reference alone stays one, so that it may point to where it stands.
        let asking = parts.count { part in part.members?.contains { !Self.annotations.contains($0.key) } ?? true }
        var result: [JSONValue.Member] = []
        var indices: [String: Int] = [:]
        for var part in parts {
            var hops = 0
            while asking > 1, let reference = part["$ref"]?.string {
                if let other = part.members?.first(where: { $0.key != "$ref" && !Self.annotations.contains($0.key) }) {
                    throw error(path, "'\(other.key)' beside '$ref' is not supported here")
                }
                part = try resolve(reference, path)
                hops += 1
                if hops > 32 { throw error(path, "$ref goes round in a circle") }
            }
            if part == .bool(true) { continue }
            guard let members = part.members else { throw error(path, "a schema is an object") }
            try spend(members.count, path)
            for member in members {
                guard let index = indices[member.key] else {
                    indices[member.key] = result.count
                    result.append(member)
                    continue
                }
                result[index] = .init(
                    key: member.key, value: try both(member.key, result[index].value, member.value, path))
            }
        }
        return .object(result)
    }

    private static let annotations: Set = [
        "title", "description", "default", "examples", "$schema", "$id", "$comment", "deprecated", "readOnly",
        "writeOnly",
        "$defs", "definitions",
    ]

    private mutating func both(
        _ key: String, _ a: JSONValue, _ b: JSONValue, _ path: String
    ) throws(GrammarError) -> JSONValue {
        if Self.annotations.contains(key) { return a }
        try spend(
            (a.array?.count ?? 0) + (b.array?.count ?? 0) + (a.members?.count ?? 0) + (b.members?.count ?? 0), path)
        if a.members == nil, a == b { return a }
        switch key {
        case "required":
            guard let a = a.array, let b = b.array else { break }
            let known = Set(a.compactMap(\.string))
            return .array(a + b.filter { $0.string.map(known.contains) != true })
        case "properties":
            guard var all = a.members, let more = b.members else { break }
            let indices = Dictionary(all.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { _, last in last })
            for member in more {
                guard let index = indices[member.key] else {
                    all.append(member)
                    continue
                }
                let place = "\(path)/properties/\(member.key)"
                all[index] = .init(key: member.key, value: try merged([all[index].value, member.value], place))
            }
            return .object(all)
        case "minimum", "exclusiveMinimum", "minLength", "minItems":
            if let a = a.integer, let b = b.integer { return .number("\(max(a, b))") }
        case "maximum", "exclusiveMaximum", "maxLength", "maxItems":
            if let a = a.integer, let b = b.integer { return .number("\(min(a, b))") }
        case "type":
            let (left, right) = (a.array ?? [a], b.array ?? [b])
            let common = left.filter(right.contains)
            if !common.isEmpty { return .array(common) }
        default: break
        }
        throw error(path, "two different values of '\(key)' cannot both hold")
    }
}
