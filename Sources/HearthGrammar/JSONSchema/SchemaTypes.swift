import HearthJSON

/// What each of JSON's types may be under a schema.
extension SchemaCompiler {
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

    mutating func array(_ schema: JSONValue, _ path: String) throws(GrammarError) -> Expression {
        let (low, high) = try sizes(schema, "minItems", "maxItems", path)
        let first = schema["prefixItems"]?.array ?? schema["items"]?.array
        guard let first, !first.isEmpty else {
            let item = try schema["items"].map { items throws(GrammarError) in try expression(items, path + "/items") }
            return JSONRules.list(item: rule(item ?? JSONRules.value), low, high)
        }
        var items: [Expression] = []
        for (index, schema) in first.prefix(high ?? first.count).enumerated() {
            if index > 0 { items.append(JSONRules.comma) }
            items.append(try expression(schema, "\(path)/prefixItems/\(index)"))
        }
        // What follows those is anything where the schema does not say, but comes only where it is needed.
        let rest = schema["prefixItems"] != nil ? schema["items"] : schema["additionalItems"]
        if rest == .bool(false), low > first.count {
            throw error(path, "minItems \(low) is more than the \(first.count) items that there may be")
        }
        if let rest = rest ?? (low > first.count ? .bool(true) : nil), rest != .bool(false) {
            let more = Expression.sequence([JSONRules.comma, rule(try expression(rest, path + "/items"))])
            items.append(
                .repetition(more, min: max(0, low - first.count), max: high.map { max(0, $0 - first.count) }))
        }
        return .sequence([.text("["), JSONRules.space] + items + [JSONRules.space, .text("]")])
    }

    func integer(_ schema: JSONValue, _ path: String) throws(GrammarError) -> Expression {
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

    mutating func string(_ schema: JSONValue, _ path: String) throws(GrammarError) -> Expression {
        if let pattern = schema["pattern"] {
            guard let pattern = pattern.string else { throw error(path, "pattern is a string") }
            try spend(pattern.utf8.count, path)
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
    mutating func object(_ schema: JSONValue, _ path: String) throws(GrammarError) -> Expression {
        var properties = schema["properties"]?.members ?? []
        guard schema["properties"] == nil || schema["properties"]?.members != nil else {
            throw error(path, "properties is an object of schemas")
        }
        var known: Set<String> = []
        let required = try names(schema["required"], path).filter { known.insert($0).inserted }
        try spend(required.count + properties.count, path)
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
            try spend(properties.reduce(0) { $0 + $1.key.utf8.count }, path)
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
            try spend(property.key.utf8.count, path)
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
