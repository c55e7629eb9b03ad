import Foundation
import HearthJSON

/// A JSON file of such a folder, with errors that name the field.
struct HuggingFaceConfig {
    let file: String
    private let root: JSONValue
    /// Where `root` is in the file.
    private var prefix = ""

    /// Larger files are none.
    private static let maximumByteCount = 16 << 20

    init(file: String) throws {
        let mapped = try MappedFile(path: file)
        guard mapped.bytes.count <= Self.maximumByteCount else {
            throw FormatError(file: file, "\(mapped.bytes.count) bytes are too many for a configuration")
        }
        do {
            self.init(file: file, root: try JSONValue(mapped.bytes))
        } catch let error as JSONError {
            throw FormatError(file: file, byteOffset: error.byteOffset, error.problem)
        }
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

    subscript(key: String) -> JSONValue? { root[key].flatMap { $0 == .null ? nil : $0 } }

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

    func integer(_ keys: String...) throws(FormatError) -> Int? {
        for key in keys {
            guard let value = self[key] else { continue }
            guard let number = value.integer, number >= 0 else { throw error(key, "expected a whole number") }
            return number
        }
        return nil
    }

    /// One number or a list of them.
    func integers(_ key: String) -> [Int] {
        guard let value = self[key] else { return [] }
        return (value.array ?? [value]).compactMap(\.integer)
    }

    /// The object at `key`.
    func part(_ key: String) throws(FormatError) -> Self? {
        guard let value = self[key] else { return nil }
        guard value.members != nil else { throw error(key, "expected an object") }
        return Self(file: file, root: value, prefix: "\(prefix)\(key).")
    }
}
