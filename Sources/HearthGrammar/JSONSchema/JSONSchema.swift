extension Grammar {
    /// JSON that is valid against a schema, as a model is to write it: properties in the schema's order, and those that the
    /// schema does not name only where `additionalProperties` asks for them.
    ///
    /// Not enforced, since no grammar can or no model needs it: `uniqueItems`, `multipleOf`, bounds of numbers that are not
    /// whole, numbers of properties, formats other than dates, times and UUIDs, lengths beside a pattern. Refused: `not`, `if`,
    /// `patternProperties`, `contains`, references to other documents, and what cannot be merged in `allOf`.
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
    private var schemas = 0

    /// Schemas that one may come to: references that are merged multiply.
    private static let maximumSchemas = 20_000
    private static let refused = [
        "not", "if", "then", "else", "patternProperties", "dependentSchemas", "dependentRequired", "propertyNames",
        "contains", "$dynamicRef", "unevaluatedItems",
    ]

    init(_ schema: JSONValue) { root = schema }

    mutating func rules() throws(GrammarError) -> [(name: String, expression: Expression)] {
        let expression = try self.expression(root, "#")
        return JSONRules.rules + made + [("root", expression)]
    }

    private func error(_ path: String, _ problem: String) -> GrammarError { GrammarError("\(path): \(problem)") }

    private mutating func rule(_ expression: Expression) -> Expression {
        made.append(("made-\(made.count)", expression))
        return .rule(made.last!.name)
    }

    private mutating func expression(_ schema: JSONValue, _ path: String) throws(GrammarError) -> Expression {
        depth += 1
        defer { depth -= 1 }
        schemas += 1
        if depth > 128 { throw error(path, "schemas are nested more than 128 deep") }
        if schemas > Self.maximumSchemas { throw error(path, "the schema is one of more than \(Self.maximumSchemas)") }
        if schema == .bool(true) { return JSONRules.value }
        if schema == .bool(false) { throw error(path, "nothing is valid against false") }
        guard let members = schema.members else { throw error(path, "a schema is an object, true or false") }
        if let member = members.first(where: { Self.refused.contains($0.key) }) {
            throw error(path, "'\(member.key)' is not supported")
        }
        if let reference = schema["$ref"] { return try referenced(reference, path) }
        if let value = schema["const"] { return .text(value.text) }
        if let values = schema["enum"] {
            guard let values = values.array, !values.isEmpty else { throw error(path, "enum is a list of values") }
            return .choice(values.map { .text($0.text) })
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

    private mutating func typed(_ schema: JSONValue, _ path: String) throws(GrammarError) -> Expression {
        if let types = schema["type"]?.array {
            var choices: [Expression] = []
            for type in types { choices.append(try expression(of: type.string ?? "?", schema, path)) }
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

    private mutating func expression(
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

    private func resolve(_ reference: String, _ path: String) throws(GrammarError) -> JSONValue {
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
    private func merged(_ parts: [JSONValue], _ path: String) throws(GrammarError) -> JSONValue {
        var result: [JSONValue.Member] = []
        var indices: [String: Int] = [:]
        for var part in parts {
            var hops = 0
            // A reference alone stays one, so that it may point to where it stands.
            while let reference = part["$ref"]?.string,
                parts.contains(where: { $0 != part && !($0.members?.isEmpty ?? true) })
            {
                part = try resolve(reference, path)
                hops += 1
                if hops > 32 { throw error(path, "$ref goes round in a circle") }
            }
            if part == .bool(true) { continue }
            guard let members = part.members else { throw error(path, "a schema is an object") }
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

    private func both(
        _ key: String, _ a: JSONValue, _ b: JSONValue, _ path: String
    ) throws(GrammarError) -> JSONValue {
        if a == b || Self.annotations.contains(key) { return a }
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

    // MARK: Types

    private func size(_ schema: JSONValue, _ key: String, _ path: String) throws(GrammarError) -> Int? {
        guard let value = schema[key] else { return nil }
        guard let size = value.integer, size >= 0 else { throw error(path, "\(key) is a whole number from 0 up") }
        return size
    }

    private func sizes(
        _ schema: JSONValue, _ low: String, _ high: String, _ path: String
    ) throws(GrammarError) -> (low: Int, high: Int?) {
        let (least, most) = (try size(schema, low, path) ?? 0, try size(schema, high, path))
        if let most, most < least { throw error(path, "\(high) \(most) is less than \(low) \(least)") }
        return (least, most)
    }

    private mutating func array(_ schema: JSONValue, _ path: String) throws(GrammarError) -> Expression {
        let (low, high) = try sizes(schema, "minItems", "maxItems", path)
        let first = schema["prefixItems"]?.array ?? schema["items"]?.array
        guard let first, !first.isEmpty else {
            let item = try schema["items"].map { items throws(GrammarError) in try expression(items, path + "/items") }
            return JSONRules.list(item: rule(item ?? JSONRules.value), low, high)
        }
        var items: [Expression] = []
        for (index, schema) in first.enumerated() {
            if index > 0 { items.append(JSONRules.comma) }
            items.append(try expression(schema, "\(path)/prefixItems/\(index)"))
        }
        if let rest = schema["prefixItems"] != nil ? schema["items"] : schema["additionalItems"], rest != .bool(false) {
            let more = Expression.sequence([JSONRules.comma, try expression(rest, path + "/items")])
            items.append(
                .repetition(more, min: max(0, low - first.count), max: high.map { max(0, $0 - first.count) }))
        }
        return .sequence([.text("["), JSONRules.space] + items + [JSONRules.space, .text("]")])
    }

    private func integer(_ schema: JSONValue, _ path: String) throws(GrammarError) -> Expression {
        func bound(_ key: String, _ round: FloatingPointRoundingRule, _ step: Int) throws(GrammarError) -> Int? {
            guard let value = schema[key] else { return nil }
            guard case .number(let text) = value, let number = Double(text) else {
                throw error(path, "\(key) is a number")
            }
            let whole = Int(max(-1e17, min(1e17, number.rounded(round))))
            // A bound that is left out counts only where it is whole.
            return step != 0 && Double(whole) == number ? whole + step : whole
        }
        let lows = [try bound("minimum", .up, 0), try bound("exclusiveMinimum", .up, 1)].compactMap { $0 }
        let highs = [try bound("maximum", .down, 0), try bound("exclusiveMaximum", .down, -1)].compactMap { $0 }
        if lows.isEmpty, highs.isEmpty { return JSONRules.integer }
        guard let range = IntegerRange.expression(lows.max(), highs.min()) else {
            throw error(path, "no whole number lies between its bounds")
        }
        return range
    }

    private func string(_ schema: JSONValue, _ path: String) throws(GrammarError) -> Expression {
        if let pattern = schema["pattern"] {
            guard let pattern = pattern.string else { throw error(path, "pattern is a string") }
            do {
                return JSONRules.quoted(try Pattern.expression(pattern))
            } catch {
                throw self.error(path, error.description)
            }
        }
        if let format = schema["format"]?.string, let pattern = Self.formats[format] {
            return JSONRules.quoted(try Pattern.expression(pattern))
        }
        let (low, high) = try sizes(schema, "minLength", "maxLength", path)
        if low == 0, high == nil { return JSONRules.string }
        return JSONRules.quoted(.repetition(JSONRules.character, min: low, max: high))
    }

    private static let formats: [String: String] = {
        let date = #"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"#
        let time = #"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{3})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"#
        return [
            "date": "^\(date)$", "time": "^\(time)$", "date-time": "^\(date)T\(time)$",
            "uuid": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
        ]
    }()

    /// Properties in order: a rule for what may follow each, with and without something before it.
    private mutating func object(_ schema: JSONValue, _ path: String) throws(GrammarError) -> Expression {
        var properties = schema["properties"]?.members ?? []
        guard schema["properties"] == nil || schema["properties"]?.members != nil else {
            throw error(path, "properties is an object of schemas")
        }
        let required = try names(schema["required"], path)
        let isRequired = Set(required)
        let named = Set(properties.map(\.key))
        guard named.count == properties.count else { throw error(path, "a property is named twice") }
        let additional = schema["additionalProperties"] ?? .bool(properties.isEmpty)
        // What is asked for without a schema of its own.
        for name in required where !named.contains(name) {
            properties.append(.init(key: name, value: additional == .bool(false) ? .bool(true) : additional))
        }
        if properties.isEmpty, additional == .bool(true) { return JSONRules.object }
        var more = Expression.empty
        var others: Expression?
        if additional != .bool(false) {
            let value = try expression(additional, path + "/additionalProperties")
            let other = rule(JSONRules.member(try OtherNames.expression(properties.map(\.key), path), value))
            more = .many(.sequence([JSONRules.comma, other]))
            others = other
        }
        // From the last property to the first; `after`: something stands before, `first`: nothing does, nil where that cannot be.
        var after = more
        var first: Expression? = others.map { .sequence([$0, more]) }
        var firstCanBeEmpty = true
        for property in properties.reversed() {
            let value = try expression(property.value, "\(path)/properties/\(property.key)")
            let member = rule(JSONRules.member(.text(JSONValue.quoted(property.key)), value))
            let isRequired = isRequired.contains(property.key)
            let taken = Expression.sequence([member, after])
            first = rule(isRequired || first == nil ? taken : .choice([taken, first!]))
            firstCanBeEmpty = firstCanBeEmpty && !isRequired
            let next = Expression.sequence([JSONRules.comma, member, after])
            after = rule(isRequired ? next : .choice([next, after]))
        }
        guard let first else { return .sequence([.text("{"), JSONRules.space, .text("}")]) }
        let inner = Expression.sequence([first, JSONRules.space])
        return .sequence([.text("{"), JSONRules.space, firstCanBeEmpty ? .optional(inner) : inner, .text("}")])
    }

    private func names(_ value: JSONValue?, _ path: String) throws(GrammarError) -> [String] {
        guard let value else { return [] }
        guard let list = value.array, list.allSatisfy({ $0.string != nil }) else {
            throw error(path, "required is a list of names")
        }
        return list.compactMap(\.string)
    }
}

/// Names that are none of those given.
private enum OtherNames {
    private static let maximumLength = 128

    static func expression(_ names: [String], _ path: String) throws(GrammarError) -> Expression {
        if let name = names.first(where: { $0.unicodeScalars.count > maximumLength }) {
            throw GrammarError(
                "\(path): additionalProperties beside a name of more than \(maximumLength) characters, '\(name.prefix(20))...'"
            )
        }
        // Other names are written without escapes, so that names which need some are none of them.
        let plain = names.map { $0.unicodeScalars.map(\.value) }.filter { $0.allSatisfy(JSONRules.plain.contains) }
        return JSONRules.quoted(rest(plain.map { $0[...] }))
    }

    /// What may follow a beginning that `names` go on from.
    private static func rest(_ names: [ArraySlice<UInt32>]) -> Expression {
        let groups = Dictionary(grouping: names.filter { !$0.isEmpty }, by: { $0.first! }).sorted { $0.key < $1.key }
        let others = JSONRules.plain.subtracting(ScalarSet(groups.map { $0.key...$0.key }))
        var choices = [Expression.sequence([.scalar(others), .many(.scalar(JSONRules.plain))])]
        for (scalar, group) in groups {
            choices.append(.sequence([.scalar(ScalarSet([scalar...scalar])), rest(group.map { $0.dropFirst() })]))
        }
        if !names.contains(where: \.isEmpty) { choices.append(.empty) }
        return .choice(choices)
    }
}
