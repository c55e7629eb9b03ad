import Foundation

/// JSON whose objects keep their order, which decides in what order an answer gives its properties.
public indirect enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// As it was written.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([Member])

    public struct Member: Sendable, Equatable {
        public let key: String
        public let value: JSONValue
    }

    /// - Throws: `GrammarError` naming the byte.
    public init(_ bytes: some Collection<UInt8>) throws(GrammarError) {
        var reader = JSONReader(Array(bytes))
        self = try reader.document()
    }

    /// A member of an object; the last of equal names.
    public subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.key == key }?.value
    }

    var string: String? { if case .string(let value) = self { value } else { nil } }

    var array: [JSONValue]? { if case .array(let values) = self { values } else { nil } }

    var members: [Member]? { if case .object(let members) = self { members } else { nil } }

    /// A whole number.
    var integer: Int? {
        guard case .number(let text) = self, let value = Double(text), abs(value) < 0x1p53 else { return nil }
        return Int(exactly: value)
    }

    /// The text that stands for the value, without space.
    public var text: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let text): text
        case .string(let value): Self.quoted(value)
        case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.map { Self.quoted($0.key) + ":" + $0.value.text }.joined(separator: ",") + "}"
        }
    }

    static func quoted(_ text: String) -> String {
        "\"" + text.unicodeScalars.map(escaped).joined() + "\""
    }

    static func escaped(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\"": "\\\""
        case "\\": "\\\\"
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        case "\u{8}": "\\b"
        case "\u{C}": "\\f"
        case _ where scalar.value < 0x20 || scalar.value == 0x7F:
            "\\u" + String(repeating: "0", count: 4 - String(scalar.value, radix: 16).count)
                + String(scalar.value, radix: 16)
        default: String(scalar)
        }
    }
}

/// RFC 8259.
private struct JSONReader {
    private let bytes: [UInt8]
    private var at = 0
    private var depth = 0

    private static let maximumDepth = 128

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(GrammarError) -> JSONValue {
        let value = try self.value()
        skipSpace()
        if at < bytes.count { throw error("something follows the value") }
        return value
    }

    private func error(_ problem: String) -> GrammarError { GrammarError("JSON, byte \(at): \(problem)") }

    private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipSpace() {
        while let next = peek, [0x20, 0x09, 0x0A, 0x0D].contains(next) { at += 1 }
    }

    private mutating func take(_ text: StaticString) -> Bool {
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard bytes[at...].starts(with: wanted) else { return false }
        at += wanted.count
        return true
    }

    private mutating func value() throws(GrammarError) -> JSONValue {
        depth += 1
        defer { depth -= 1 }
        if depth > Self.maximumDepth { throw error("values are nested more than \(Self.maximumDepth) deep") }
        skipSpace()
        if take("null") { return .null }
        if take("true") { return .bool(true) }
        if take("false") { return .bool(false) }
        switch peek {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "["): return .array(try list("]") { reader throws(GrammarError) in try reader.value() })
        case UInt8(ascii: "{"):
            return .object(
                try list("}") { reader throws(GrammarError) in
                    reader.skipSpace()
                    let key = try reader.string()
                    reader.skipSpace()
                    guard reader.take(":") else { throw reader.error("expected ':'") }
                    return .init(key: key, value: try reader.value())
                })
        default: return .number(try number())
        }
    }

    private mutating func list<Element>(
        _ end: StaticString, _ element: (inout Self) throws(GrammarError) -> Element
    ) throws(GrammarError) -> [Element] {
        at += 1
        var all: [Element] = []
        skipSpace()
        if take(end) { return all }
        while true {
            all.append(try element(&self))
            skipSpace()
            if take(end) { return all }
            guard take(",") else { throw error("expected ',' or '\(end)'") }
        }
    }

    private mutating func number() throws(GrammarError) -> String {
        let start = at
        while let next = peek, Character(Unicode.Scalar(next)).isNumber || "+-.eE".utf8.contains(next) { at += 1 }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        guard Double(text)?.isFinite == true, let first = text.utf8.first, first != UInt8(ascii: "+") else {
            at = start
            throw error("expected a value")
        }
        return text
    }

    private mutating func string() throws(GrammarError) -> String {
        guard take("\"") else { throw error("expected a string") }
        let start = at
        while let next = peek, next != UInt8(ascii: "\"") {
            if next < 0x20 { throw error("a control character in a string") }
            at += next == UInt8(ascii: "\\") ? 2 : 1
        }
        guard peek != nil else { throw error("a string has no end") }
        at += 1
        // Escapes and malformed UTF-8 are Foundation's.
        let quoted = Data(bytes[start - 1..<at])
        guard let text = try? JSONDecoder().decode(String.self, from: quoted) else {
            at = start
            throw error("a string is malformed")
        }
        return text
    }
}
