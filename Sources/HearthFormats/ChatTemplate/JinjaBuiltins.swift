import Foundation

/// Filters, tests, functions and methods. What is not here is an error where the template is read, or, for methods, run.
enum JinjaBuiltins {
    static let filters: Set<String> = [
        "trim", "upper", "lower", "length", "count", "tojson", "join", "default", "d", "first", "last", "list",
        "string",
        "int", "replace", "items", "map", "select", "reject", "selectattr", "rejectattr", "safe", "capitalize",
        "reverse",
    ]
    static let tests: Set<String> = [
        "defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "boolean",
        "true",
        "false", "eq", "equalto", "in",
    ]
    static let functions: Set<String> = ["namespace", "dict", "range", "raise_exception", "strftime_now"]

    struct Arguments {
        var positional: [JinjaValue]
        var named: [String: JinjaValue]

        func string(_ index: Int) -> String? {
            guard positional.indices.contains(index), case .string(let text) = positional[index] else { return nil }
            return text
        }
    }

    struct Unsupported: Error { let message: String }

    static func test(_ name: String, _ value: JinjaValue, _ arguments: Arguments) throws(Unsupported) -> Bool {
        switch (name, value) {
        case ("defined", .undefined), ("none", .none): return name == "none"
        case ("undefined", .undefined): return true
        case ("defined", _): return true
        case ("string", .string), ("mapping", .map), ("mapping", .namespace), ("boolean", .bool): return true
        case ("iterable", .string), ("iterable", .list), ("iterable", .map), ("sequence", .string), ("sequence", .list),
            ("sequence", .map):
            return true
        case ("number", .integer), ("integer", .integer): return true
        case ("true", .bool(let value)): return value
        case ("false", .bool(let value)): return !value
        case ("eq", _), ("equalto", _):
            guard let other = arguments.positional.first else { throw Unsupported(message: "\(name) needs a value") }
            return JinjaValue.equal(value, other)
        case ("in", _):
            guard let whole = arguments.positional.first else { throw Unsupported(message: "in needs a value") }
            return try contains(whole, value)
        default: return false
        }
    }

    static func contains(_ whole: JinjaValue, _ item: JinjaValue) throws(Unsupported) -> Bool {
        switch (item, whole) {
        case (.string(let part), .string(let text)): return part.isEmpty || text.contains(part)
        case (_, .list(let items)): return items.contains { JinjaValue.equal($0, item) }
        case (.string(let key), .map(let fields)): return fields[key] != nil
        case (.string(let key), .namespace(let space)): return space.fields[key] != nil
        default: throw Unsupported(message: "in needs a string, a list or a mapping, not \(whole.kind)")
        }
    }

    static func function(_ name: String, _ arguments: Arguments) throws(Unsupported) -> JinjaValue {
        switch name {
        case "namespace": return .namespace(JinjaNamespace(arguments.named))
        case "dict": return .map(arguments.named)
        case "raise_exception": throw Unsupported(message: arguments.string(0) ?? "the template refuses these messages")
        case "strftime_now":
            var (now, parts) = (time(nil), tm())
            localtime_r(&now, &parts)
            var text = [CChar](repeating: 0, count: 256)
            let count = strftime(&text, text.count, arguments.string(0) ?? "", &parts)
            return .string(String(decoding: text.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self))
        case "range":
            let bounds = arguments.positional.compactMap { if case .integer(let value) = $0 { value } else { nil } }
            let (low, high, step) =
                switch bounds.count {
                case 1: (0, bounds[0], 1)
                case 2: (bounds[0], bounds[1], 1)
                case 3: (bounds[0], bounds[1], bounds[2])
                default: (0, 0, 0)
                }
            guard step != 0, abs(high.subtractingReportingOverflow(low).partialValue) <= 1 << 16 else {
                throw Unsupported(message: "a range of no or of too many numbers")
            }
            return .list(stride(from: low, to: high, by: step).map(JinjaValue.integer))
        default: throw Unsupported(message: "'\(name)' is no function")
        }
    }

    // MARK: Filters

    static func filter(_ name: String, _ value: JinjaValue, _ arguments: Arguments) throws(Unsupported) -> JinjaValue {
        switch (name, value) {
        case ("default", _), ("d", _):
            let isMissing =
                if case .undefined = value { true } else {
                    arguments.positional.count > 1 && arguments.positional[1].isTrue && !value.isTrue
                }
            return isMissing ? arguments.positional.first ?? .string("") : value
        case ("trim", .string(let text)): return .string(strip(text, nil, .both))
        case ("upper", .string(let text)): return .string(text.uppercased())
        case ("lower", .string(let text)): return .string(text.lowercased())
        case ("capitalize", .string(let text)):
            return .string(text.prefix(1).uppercased() + text.dropFirst().lowercased())
        case ("length", .string(let text)), ("count", .string(let text)): return .integer(text.unicodeScalars.count)
        case ("length", .list(let items)), ("count", .list(let items)): return .integer(items.count)
        case ("length", .map(let fields)), ("count", .map(let fields)): return .integer(fields.count)
        case ("first", .list(let items)): return items.first ?? .undefined
        case ("last", .list(let items)): return items.last ?? .undefined
        case ("reverse", .list(let items)): return .list(items.reversed())
        case ("list", .list), ("string", .string), ("safe", .string), ("int", .integer): return value
        case ("list", .string(let text)): return .list(text.unicodeScalars.map { .string(String($0)) })
        case ("int", .string(let text)): return .integer(Int(strip(text, nil, .both)) ?? 0)
        case ("string", _):
            guard let text = value.text else { break }
            return .string(text)
        case ("replace", .string): return try method("replace", of: value, arguments)
        case ("items", .map): return try method("items", of: value, arguments)
        case ("join", .list(let items)):
            let texts = items.compactMap(\.text)
            guard texts.count == items.count else { break }
            return .string(texts.joined(separator: arguments.string(0) ?? ""))
        case ("map", .list(let items)):
            guard case .string(let attribute)? = arguments.named["attribute"] else { break }
            return .list(items.map { field(attribute, of: $0) })
        case ("select", .list(let items)), ("reject", .list(let items)), ("selectattr", .list(let items)),
            ("rejectattr", .list(let items)):
            let attribute = name.hasSuffix("attr") ? arguments.string(0) : nil
            let own = name.hasSuffix("attr") ? 1 : 0
            if own == 1, attribute == nil { break }
            let test = arguments.string(own)
            let rest = Arguments(positional: Array(arguments.positional.dropFirst(own + 1)), named: [:])
            var kept: [JinjaValue] = []
            for item in items {
                let value = attribute.map { field($0, of: item) } ?? item
                let holds =
                    try test.map { test throws(Unsupported) in try self.test(test, value, rest) } ?? value.isTrue
                if holds == name.hasPrefix("select") { kept.append(item) }
            }
            return .list(kept)
        case ("tojson", _):
            var indent: Int?
            if case .integer(let value)? = arguments.named["indent"] ?? arguments.positional.first { indent = value }
            guard let text = value.json(indent: indent.map { min(max($0, 0), 16) }) else { break }
            return .string(text)
        default: break
        }
        throw Unsupported(message: "\(name) does not take \(value.kind)")
    }

    static func field(_ name: String, of value: JinjaValue) -> JinjaValue {
        switch value {
        case .map(let fields): fields[name] ?? .undefined
        case .namespace(let space): space.fields[name] ?? .undefined
        default: .undefined
        }
    }

    // MARK: Methods

    static func method(_ name: String, of value: JinjaValue, _ arguments: Arguments) throws(Unsupported) -> JinjaValue {
        switch (name, value) {
        case ("startswith", .string(let text)): return .bool(text.hasScalars(prefix: arguments.string(0) ?? ""))
        case ("endswith", .string(let text)): return .bool(text.hasScalars(suffix: arguments.string(0) ?? ""))
        case ("strip", .string(let text)): return .string(strip(text, arguments.string(0), .both))
        case ("lstrip", .string(let text)): return .string(strip(text, arguments.string(0), .left))
        case ("rstrip", .string(let text)): return .string(strip(text, arguments.string(0), .right))
        case ("upper", .string), ("lower", .string), ("capitalize", .string): return try filter(name, value, arguments)
        case ("replace", .string(let text)):
            guard let old = arguments.string(0), let new = arguments.string(1), !old.isEmpty else { break }
            return .string(text.replacingOccurrences(of: old, with: new, options: .literal))
        case ("split", .string(let text)):
            guard let separator = arguments.string(0) else {
                return .list(text.split(whereSeparator: \.isWhitespace).map { .string(String($0)) })
            }
            guard !separator.isEmpty else { break }
            return .list(text.components(separatedBy: separator).map(JinjaValue.string))
        case ("items", .map(let fields)):
            return .list(fields.sorted { $0.key < $1.key }.map { .list([.string($0.key), $0.value]) })
        case ("keys", .map(let fields)): return .list(fields.keys.sorted().map(JinjaValue.string))
        case ("values", .map(let fields)): return .list(fields.sorted { $0.key < $1.key }.map(\.value))
        case ("get", .map(let fields)):
            guard let key = arguments.string(0) else { break }
            return fields[key] ?? (arguments.positional.count > 1 ? arguments.positional[1] : .none)
        default: break
        }
        throw Unsupported(message: "\(value.kind) has no method '\(name)' that takes this")
    }

    private enum Side { case left, right, both }

    /// Python's strip: of white space, or of the given characters.
    private static func strip(_ text: String, _ characters: String?, _ side: Side) -> String {
        let set = characters.map { Set($0.unicodeScalars) }
        func goes(_ scalar: Unicode.Scalar) -> Bool {
            set.map { $0.contains(scalar) } ?? scalar.properties.isWhitespace
        }
        var scalars = text.unicodeScalars[...]
        if side != .right { scalars = scalars.drop(while: goes) }
        if side != .left { while let last = scalars.last, goes(last) { scalars.removeLast() } }
        return String(scalars)
    }
}

extension String {
    fileprivate func hasScalars(prefix: String) -> Bool { unicodeScalars.starts(with: prefix.unicodeScalars) }

    fileprivate func hasScalars(suffix: String) -> Bool {
        unicodeScalars.reversed().starts(with: suffix.unicodeScalars.reversed())
    }
}
