import Foundation

/// JSON in the one form that equal values share, so that it can be hashed.
///
/// - Source: RFC 8785: members by UTF-16 code units, numbers as ECMAScript writes them, no blanks.
public enum CanonicalJSON {
    /// - Throws: what cannot be encoded, or a number that is not finite.
    public static func encode(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        let json = try JSONValue(try encoder.encode(value))
        try checkIntegers(json)
        return Data(text(json).utf8)
    }

    /// Numbers are doubles there: a whole number that is none would become another.
    private static func checkIntegers(_ value: JSONValue) throws {
        switch value {
        case .number(let text):
            guard text.utf8.allSatisfy({ (48...57).contains($0) || $0 == UInt8(ascii: "-") }) else { return }
            guard text == number(Double(text) ?? 0) else {
                throw EncodingError.invalidValue(
                    text, .init(codingPath: [], debugDescription: "\(text) is no number that RFC 8785 can write"))
            }
        case .array(let items): for item in items { try checkIntegers(item) }
        case .object(let members): for member in members { try checkIntegers(member.value) }
        default: return
        }
    }

    /// The canonical form of `value`. Of members with one name the last counts.
    public static func text(_ value: JSONValue) -> String {
        switch value {
        case .null: return "null"
        case .bool(let flag): return flag ? "true" : "false"
        case .number(let text): return Double(text).map { number($0) } ?? text
        case .string(let text): return quoted(text)
        case .array(let items): return "[" + items.map { text($0) }.joined(separator: ",") + "]"
        case .object(let members):
            var last: [JSONValue.Member] = []
            for member in members.sorted(by: { $0.key.utf16.lexicographicallyPrecedes($1.key.utf16) }) {
                if let known = last.last, known.key.utf16.elementsEqual(member.key.utf16) { last.removeLast() }
                last.append(member)
            }
            return "{" + last.map { quoted($0.key) + ":" + text($0.value) }.joined(separator: ",") + "}"
        }
    }

    /// A string with the escapes that have to be: Python writes texts alike.
    public static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\u{8}": out += "\\b"
            case "\t": out += "\\t"
            case "\n": out += "\\n"
            case "\u{C}": out += "\\f"
            case "\r": out += "\\r"
            case _ where scalar.value < 0x20:
                out += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }

    /// ECMA-262, Number::toString: the shortest digits, an exponent from 10^21 up and below 10^-6.
    static func number(_ value: Double) -> String {
        if value == 0 { return "0" }
        let sign = value < 0 ? "-" : ""
        // Swift's own digits are the shortest too: `d.ddde±xx` or plain.
        let parts = "\(value.magnitude)".split(separator: "e")
        var digits = parts[0].filter { $0 != "." }
        let whole = parts[0].split(separator: ".")[0]
        // Where the point stands, counted from the first digit.
        var point = (parts.count > 1 ? Int(parts[1])! : 0) + whole.count
        while digits.first == "0" {
            digits.removeFirst()
            point -= 1
        }
        while digits.last == "0" { digits.removeLast() }
        let count = digits.count
        if count <= point, point <= 21 { return sign + digits + String(repeating: "0", count: point - count) }
        if 0 < point, point <= 21 { return sign + digits.prefix(point) + "." + digits.dropFirst(point) }
        if -6 < point, point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + digits }
        let exponent = (point > 0 ? "+" : "-") + "\(abs(point - 1))"
        return sign + digits.prefix(1) + (count > 1 ? "." : "") + digits.dropFirst() + "e" + exponent
    }
}
