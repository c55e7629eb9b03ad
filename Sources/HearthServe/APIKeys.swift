import Crypto
import Foundation
import HearthFleet
import HearthJSON

/// Who may ask: names and the SHA-256 of their keys, so that the file gives no key away.
///
/// A line is `NAME HEX`; `#` begins a comment. `printf %s "$KEY" | sha256sum` makes the second part.
public struct APIKeys: Sendable {
    private let names: [String: String]

    public init(path: String) throws(ConfigError) {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw ConfigError("\(path): no such file, or not text")
        }
        try self.init(text: text, path: path)
    }

    init(text: String, path: String) throws(ConfigError) {
        var names: [String: String] = [:]
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            if words.isEmpty { continue }
            let place = "\(path): line \(index + 1)"
            guard words.count == 2, words[1].count == 64, words[1].allSatisfy(\.isHexDigit) else {
                throw ConfigError("\(place): not NAME and the 64 hexadecimal digits of a key's SHA-256")
            }
            guard names.updateValue(String(words[0]), forKey: words[1].lowercased()) == nil else {
                throw ConfigError("\(place): this key is in the file twice")
            }
        }
        if names.isEmpty { throw ConfigError("\(path): holds no key") }
        self.names = names
    }

    /// Whose key an `Authorization` header holds. Digests are looked up, so time tells nothing of the keys.
    func name(forHeader header: String?) -> String? {
        guard let header, header.lowercased().hasPrefix("bearer ") else { return nil }
        let key = header.dropFirst("bearer ".count)
        return names[SHA256.hash(data: Data(key.utf8)).hexadecimal]
    }
}
