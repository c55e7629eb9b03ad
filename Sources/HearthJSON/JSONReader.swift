import Foundation

/// Bytes that are not JSON.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    public let byteOffset: Int
    public let problem: String
    public var description: String { "JSON, byte \(byteOffset): \(problem)" }
}

/// RFC 8259.
struct JSONReader {
    private let bytes: [UInt8]
    private var at = 0
    private var depth = 0

    private static let maximumDepth = 128

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(JSONError) -> JSONValue {
        let value = try self.value()
        skipSpace()
        if at < bytes.count { throw error("something follows the value") }
        return value
    }

    private func error(_ problem: String) -> JSONError { JSONError(byteOffset: at, problem: problem) }

    private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipSpace() {
        while let next = peek, next == 0x20 || next == 0x0A || next == 0x0D || next == 0x09 { at += 1 }
    }

    private mutating func take(_ text: StaticString) -> Bool {
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard bytes[at...].starts(with: wanted) else { return false }
        at += wanted.count
        return true
    }

    private mutating func value() throws(JSONError) -> JSONValue {
        depth += 1
        defer { depth -= 1 }
        if depth > Self.maximumDepth { throw error("values are nested more than \(Self.maximumDepth) deep") }
        skipSpace()
        switch peek {
        case UInt8(ascii: "n") where take("null"): return .null
        case UInt8(ascii: "t") where take("true"): return .bool(true)
        case UInt8(ascii: "f") where take("false"): return .bool(false)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "["): return .array(try list("]") { reader throws(JSONError) in try reader.value() })
        case UInt8(ascii: "{"):
            return .object(
                try list("}") { reader throws(JSONError) in
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
        _ end: StaticString, _ element: (inout Self) throws(JSONError) -> Element
    ) throws(JSONError) -> [Element] {
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

    private mutating func number() throws(JSONError) -> String {
        let start = at
        while let next = peek, Character(Unicode.Scalar(next)).isNumber || "+-.eE".utf8.contains(next) { at += 1 }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        guard Double(text)?.isFinite == true, let first = text.utf8.first, first != UInt8(ascii: "+") else {
            at = start
            throw error("expected a value")
        }
        return text
    }

    private mutating func string() throws(JSONError) -> String {
        guard take("\"") else { throw error("expected a string") }
        let start = at
        var hasEscapes = false
        while let next = peek, next != UInt8(ascii: "\"") {
            if next < 0x20 { throw error("a control character in a string") }
            let isEscape = next == UInt8(ascii: "\\")
            hasEscapes = hasEscapes || isEscape
            at += isEscape ? 2 : 1
        }
        guard peek != nil else { throw error("a string has no end") }
        at += 1
        if !hasEscapes, let text = String(validating: bytes[start..<at - 1], as: UTF8.self) { return text }
        // Escapes and malformed UTF-8 are Foundation's.
        let quoted = Data(bytes[start - 1..<at])
        guard let text = try? JSONDecoder().decode(String.self, from: quoted) else {
            at = start
            throw error("a string is malformed")
        }
        return text
    }
}
