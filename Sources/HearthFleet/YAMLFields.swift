import Foundation
import Yams

/// A YAML or JSON document that is not what it should be: file, line, field, reason.
public struct ConfigError: Error, Sendable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }

    /// The text of the file at `path`. - Throws: where there is none, or it is no text.
    public static func text(_ path: String) throws(ConfigError) -> String {
        guard let data = FileManager.default.contents(atPath: path), let text = String(data: data, encoding: .utf8)
        else { throw ConfigError("\(path): cannot be read, or is not text") }
        return text
    }
}

/// The fields of one YAML mapping, each taken at most once; what nobody takes is an error with its line.
struct YAMLFields {
    private let file: String
    /// Where a mapping within another stands: `sites.hall.`
    private var path = ""
    private var fields: [String: Node] = [:]
    private var lines: [String: Int] = [:]
    private var known: [String] = []

    private static let maximumByteCount = 2 << 20

    init(_ text: String, file: String) throws(ConfigError) {
        self.file = file
        guard text.utf8.count <= Self.maximumByteCount else { throw ConfigError("\(file): larger than 2 MiB") }
        let node: Node?
        do { node = try Yams.compose(yaml: text) } catch { throw ConfigError("\(file): \(Self.reason(error))") }
        guard let mapping = node?.mapping else { throw ConfigError("\(file): expected 'field: value' lines") }
        try read(mapping)
    }

    private init(_ mapping: Node.Mapping, file: String, path: String) throws(ConfigError) {
        (self.file, self.path) = (file, path)
        try read(mapping)
    }

    private mutating func read(_ mapping: Node.Mapping) throws(ConfigError) {
        for (key, value) in mapping {
            guard let name = key.string else {
                throw ConfigError("\(file):\(key.mark?.line ?? 0): a field name is not text")
            }
            guard fields.updateValue(value, forKey: name) == nil else {
                throw ConfigError("\(file):\(key.mark?.line ?? 0): \(path)\(name) occurs twice")
            }
            lines[name] = key.mark?.line
        }
    }

    private static func reason(_ error: any Error) -> String {
        "\(error)".split(separator: "\n").joined(separator: " ")
    }

    func error(_ field: String, _ message: String) -> ConfigError {
        ConfigError("\(file)\(lines[field].map { ":\($0)" } ?? ""): \(path)\(field): \(message)")
    }

    private mutating func take(_ field: String) -> Node? {
        known.append(field)
        return fields.removeValue(forKey: field)
    }

    mutating func string(_ field: String, default fallback: String? = nil) throws(ConfigError) -> String {
        guard let node = take(field) else {
            guard let fallback else { throw ConfigError("\(file): \(path)\(field) is missing") }
            return fallback
        }
        guard let text = node.scalar?.string else { throw error(field, "expected text") }
        return text
    }

    /// nil where the field is left out, or empty.
    mutating func optional(_ field: String) throws(ConfigError) -> String? {
        let text = try string(field, default: "")
        return text.isEmpty ? nil : text
    }

    /// One of a few words; nil where the field is left out, or empty.
    mutating func choice<Value: RawRepresentable<String> & CaseIterable>(
        _ field: String, of type: Value.Type = Value.self
    ) throws(ConfigError) -> Value? {
        guard let text = try optional(field) else { return nil }
        guard let value = Value(rawValue: text) else {
            let all = Value.allCases.map(\.rawValue).joined(separator: ", ")
            throw error(field, "'\(text.prefix(40))' is none of \(all)")
        }
        return value
    }

    mutating func integer(_ field: String, default fallback: Int) throws(ConfigError) -> Int {
        guard let node = take(field) else { return fallback }
        guard let value = node.int else { throw error(field, "expected a whole number") }
        return value
    }

    mutating func double(_ field: String, default fallback: Double?) throws(ConfigError) -> Double {
        guard let node = take(field) else {
            guard let fallback else { throw ConfigError("\(file): \(path)\(field) is missing") }
            return fallback
        }
        guard let value = node.float, value.isFinite else { throw error(field, "expected a number") }
        return value
    }

    /// nil where it is missing.
    mutating func optionalDouble(_ field: String, in range: ClosedRange<Double>) throws(ConfigError) -> Double? {
        guard let node = take(field) else { return nil }
        guard let value = node.float, range.contains(value) else {
            throw error(field, "expected a number, \(Self.text(range.lowerBound)) to \(Self.text(range.upperBound))")
        }
        return value
    }

    private static func text(_ value: Double) -> String {
        value == value.rounded() ? String(Int(value)) : String(value)
    }

    mutating func bool(_ field: String, default fallback: Bool) throws(ConfigError) -> Bool {
        guard let node = take(field) else { return fallback }
        guard let value = node.bool else { throw error(field, "expected true or false") }
        return value
    }

    mutating func strings(_ field: String, default fallback: [String]) throws(ConfigError) -> [String] {
        guard let node = take(field) else { return fallback }
        guard let items = node.sequence else { throw error(field, "expected a list") }
        var values: [String] = []
        for item in items {
            guard let text = item.scalar?.string else { throw error(field, "expected a list of texts") }
            values.append(text)
        }
        return values
    }

    /// The fields of each mapping in the mapping `field`.
    mutating func mappings(_ field: String) throws(ConfigError) -> [(name: String, fields: YAMLFields)] {
        guard let node = take(field) else { throw ConfigError("\(file): \(path)\(field) is missing") }
        guard let mapping = node.mapping else { throw error(field, "expected 'name: {...}' lines") }
        var all: [(name: String, fields: YAMLFields)] = []
        for (key, value) in mapping {
            guard let name = key.string, let inner = value.mapping else {
                throw ConfigError("\(file):\(key.mark?.line ?? 0): \(field): expected 'name: {...}'")
            }
            guard !all.contains(where: { $0.name == name }) else {
                throw ConfigError("\(file):\(key.mark?.line ?? 0): \(name) occurs twice")
            }
            all.append((name, try YAMLFields(inner, file: file, path: "\(path)\(field).\(name).")))
        }
        return all
    }

    /// - Throws: for the first field (by line) that nothing took.
    func finish() throws(ConfigError) {
        guard let unknown = fields.keys.min(by: { (lines[$0] ?? 0, $0) < (lines[$1] ?? 0, $1) }) else { return }
        throw error(unknown, "unknown field; there are \(known.joined(separator: ", "))")
    }
}
