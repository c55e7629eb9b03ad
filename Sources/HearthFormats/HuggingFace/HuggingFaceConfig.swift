import Foundation
import HearthJSON

/// A JSON file of such a folder, with errors that name the field.
struct HuggingFaceConfig {
    let file: String
    private let root: JSONValue
    /// Where `root` is in the file.
    private var prefix = ""

    /// What is meant where the file is silent.
    private var defaults: [String: Double] = [:]

    init(file: String) throws {
        self.file = file
        root = try JSONFile.read(file, maximumByteCount: 16 << 20)
        guard root.members != nil else { throw FormatError(file: file, byteOffset: 0, "is not a JSON object") }
    }

    private init(file: String, root: JSONValue, prefix: String = "") {
        (self.file, self.root, self.prefix) = (file, root, prefix)
    }

    /// The part about the language model, where a model also sees pictures.
    var language: Self {
        guard let text = root["text_config"], text.members != nil else { return self }
        return Self(file: file, root: text, prefix: "text_config.")
    }

    func assuming(_ defaults: [String: Double]) -> Self {
        var config = self
        config.defaults = defaults
        return config
    }

    subscript(key: String) -> JSONValue? {
        if let value = root[key], value != .null { return value }
        return defaults[key].map { .number("\($0)") }
    }

    func error(_ key: String, _ problem: String) -> FormatError {
        FormatError(file: file, "\(prefix)\(key): \(problem)")
    }

    func string(_ key: String) throws(FormatError) -> String {
        guard let text = self[key]?.string else { throw error(key, "expected a string") }
        return text
    }

    func bool(_ key: String, default fallback: Bool) throws(FormatError) -> Bool {
        guard let value = self[key] else { return fallback }
        guard case .bool(let flag) = value else { throw error(key, "expected true or false") }
        return flag
    }

    func number(_ key: String) throws(FormatError) -> Double? {
        guard let value = self[key] else { return nil }
        guard case .number(let text) = value, let number = Double(text) else { throw error(key, "expected a number") }
        return number
    }

    /// - Throws: also where none of `keys` is there.
    func required(_ keys: String...) throws(FormatError) -> Int {
        for key in keys { if let number = try integer(key) { return number } }
        throw error(keys[0], "is missing")
    }

    func integer(_ keys: String...) throws(FormatError) -> Int? {
        for key in keys {
            guard let value = self[key] else { continue }
            guard let number = value.integer, number >= 0 else { throw error(key, "expected a whole number") }
            return number
        }
        return nil
    }

    /// Tokens of a vocabulary of `count`: one number or a list of them.
    func tokens(_ key: String, count: Int) throws(FormatError) -> [Int32] {
        guard let value = self[key] else { return [] }
        var ids: [Int32] = []
        for item in value.array ?? [value] {
            guard let id = item.integer, (0..<count).contains(id) else {
                throw error(key, "\(item.text.prefix(40)) is no token of the \(count)")
            }
            ids.append(Int32(id))
        }
        return ids
    }

    /// The object at `key`.
    func part(_ key: String) throws(FormatError) -> Self? {
        guard let value = self[key] else { return nil }
        guard value.members != nil else { throw error(key, "expected an object") }
        return Self(file: file, root: value, prefix: "\(prefix)\(key).")
    }
}
