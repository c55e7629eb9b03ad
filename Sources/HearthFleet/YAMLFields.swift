import Yams

/// A YAML or JSON document that is not what it should be: file, line, field, reason.
public struct ConfigError: Error, Sendable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// The fields of one YAML mapping, each taken at most once; what nobody takes is an error with its line.
struct YAMLFields {
    private let file: String
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
        for (key, value) in mapping {
            guard let name = key.string else {
                throw ConfigError("\(file):\(key.mark?.line ?? 0): a field name is not text")
            }
            guard fields.updateValue(value, forKey: name) == nil else {
                throw ConfigError("\(file):\(key.mark?.line ?? 0): \(name) occurs twice")
            }
            lines[name] = key.mark?.line
        }
    }

    private static func reason(_ error: any Error) -> String {
        "\(error)".split(separator: "\n").joined(separator: " ")
    }

    func error(_ field: String, _ message: String) -> ConfigError {
        ConfigError(lines[field].map { "\(file):\($0): \(field): \(message)" } ?? "\(file): \(field): \(message)")
    }

    private mutating func take(_ field: String) -> Node? {
        known.append(field)
        return fields.removeValue(forKey: field)
    }

    mutating func string(_ field: String, default fallback: String? = nil) throws(ConfigError) -> String {
        guard let node = take(field) else {
            guard let fallback else { throw ConfigError("\(file): \(field) is missing") }
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

    mutating func integer(_ field: String, default fallback: Int) throws(ConfigError) -> Int {
        guard let node = take(field) else { return fallback }
        guard let value = node.int else { throw error(field, "expected a whole number") }
        return value
    }

    mutating func double(_ field: String, default fallback: Double) throws(ConfigError) -> Double {
        guard let node = take(field) else { return fallback }
        guard let value = node.float, value.isFinite else { throw error(field, "expected a number") }
        return value
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

    /// - Throws: for the first field (by line) that nothing took.
    func finish() throws(ConfigError) {
        guard let unknown = fields.keys.min(by: { (lines[$0] ?? 0, $0) < (lines[$1] ?? 0, $1) }) else { return }
        throw error(unknown, "unknown field; there are \(known.joined(separator: ", "))")
    }
}
