import HearthJSON

enum JinjaValue: Sendable {
    case undefined, none
    case bool(Bool)
    case integer(Int)
    case string(String)
    case list([JinjaValue])
    case map([String: JinjaValue])
    case namespace(JinjaNamespace)
    case macro(JinjaMacro)

    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .string(let value): !value.isEmpty
        case .list(let value): !value.isEmpty
        case .map(let value): !value.isEmpty
        case .namespace, .macro: true
        }
    }

    /// What Python calls it.
    var kind: String {
        switch self {
        case .undefined: "something undefined"
        case .none: "none"
        case .bool: "a truth value"
        case .integer: "a number"
        case .string: "a string"
        case .list: "a list"
        case .map: "a mapping"
        case .namespace: "a namespace"
        case .macro: "a macro"
        }
    }

    /// As it is printed; nil for what is not supported.
    var text: String? {
        switch self {
        case .undefined: ""
        case .none: "None"
        case .bool(let value): value ? "True" : "False"
        case .integer(let value): String(value)
        case .string(let text): text
        case .list, .map, .namespace, .macro: nil
        }
    }

    static func equal(_ a: JinjaValue, _ b: JinjaValue) -> Bool {
        switch (a, b) {
        case (.undefined, .undefined), (.none, .none): true
        case (.bool(let a), .bool(let b)): a == b
        case (.integer(let a), .integer(let b)): a == b
        case (.bool(let a), .integer(let b)), (.integer(let b), .bool(let a)): (a ? 1 : 0) == b
        // By scalars, as Python: two ways of writing an accent are two texts.
        case (.string(let a), .string(let b)): a.unicodeScalars.elementsEqual(b.unicodeScalars)
        case (.list(let a), .list(let b)): a.count == b.count && zip(a, b).allSatisfy(equal)
        case (.map(let a), .map(let b)):
            a.count == b.count && a.allSatisfy { key, value in b[key].map { equal(value, $0) } ?? false }
        case (.namespace(let a), .namespace(let b)): a === b
        default: false
        }
    }

    /// As Python's json.dumps writes it, keys in their order; nil for what is undefined.
    func json(indent: Int? = nil, depth: Int = 0) -> String? {
        func block(_ open: String, _ parts: [String], _ close: String) -> String {
            guard let indent, !parts.isEmpty else { return open + parts.joined(separator: ", ") + close }
            let space = { "\n" + String(repeating: " ", count: indent * $0) }
            return open + space(depth + 1) + parts.joined(separator: "," + space(depth + 1)) + space(depth) + close
        }
        switch self {
        case .undefined, .namespace, .macro: return nil
        case .none: return "null"
        case .bool(let value): return value ? "true" : "false"
        case .integer(let value): return String(value)
        case .string(let text): return CanonicalJSON.quoted(text)
        case .list(let items):
            let parts = items.compactMap { $0.json(indent: indent, depth: depth + 1) }
            return parts.count < items.count ? nil : block("[", parts, "]")
        case .map(let fields):
            let parts = fields.sorted { $0.key < $1.key }.compactMap { key, value in
                value.json(indent: indent, depth: depth + 1).map { CanonicalJSON.quoted(key) + ": " + $0 }
            }
            return parts.count < fields.count ? nil : block("{", parts, "}")
        }
    }
}

/// Fields that blocks within loops change for the blocks around them.
///
/// `@unchecked Sendable`: made by one rendering and seen by it alone.
final class JinjaNamespace: @unchecked Sendable {
    var fields: [String: JinjaValue]
    init(_ fields: [String: JinjaValue]) { self.fields = fields }
}
