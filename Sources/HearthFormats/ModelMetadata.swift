/// What a model's file says of it, by GGUF's keys: sizes, tokenizer, template.
public struct ModelMetadata: Sendable {
    /// For messages.
    public let file: String
    private let values: [String: GGUFValue]
    /// Where each value begins.
    private let offsets: [String: Int]

    init(file: String, values: [String: GGUFValue], offsets: [String: Int] = [:]) {
        (self.file, self.values, self.offsets) = (file, values, offsets)
    }

    public subscript(key: String) -> GGUFValue? { values[key] }

    public func string(_ key: String) throws(FormatError) -> String {
        guard case .string(let value)? = self[key] else { throw missing(key, "a string") }
        return value
    }

    /// A whole number that is at least `minimum`.
    public func integer(_ key: String, minimum: Int = 0) throws(FormatError) -> Int {
        let value: Int? =
            switch self[key] {
            case .unsigned(let value): Int(exactly: value)
            case .signed(let value): Int(value)
            default: nil
            }
        guard let value, value >= minimum else { throw missing(key, "a whole number of at least \(minimum)") }
        return value
    }

    public func float(_ key: String) throws(FormatError) -> Double {
        guard case .float(let value)? = self[key], value.isFinite else { throw missing(key, "a finite number") }
        return value
    }

    public func bool(_ key: String, default fallback: Bool) throws(FormatError) -> Bool {
        guard let value = self[key] else { return fallback }
        guard case .bool(let flag) = value else { throw missing(key, "true or false") }
        return flag
    }

    public func strings(_ key: String) throws(FormatError) -> [String] {
        guard case .strings(let value)? = self[key] else { throw missing(key, "a list of strings") }
        return value
    }

    public func integers(_ key: String) throws(FormatError) -> [Int64] {
        guard case .integers(let value)? = self[key] else { throw missing(key, "a list of whole numbers") }
        return value
    }

    func error(_ key: String, _ message: String) -> FormatError {
        FormatError(file: file, byteOffset: offsets[key], "\(key): \(message)")
    }

    private func missing(_ key: String, _ expected: String) -> FormatError {
        self[key] == nil
            ? FormatError(file: file, "the metadata has no \(key); expected \(expected)")
            : error(key, "expected \(expected), found \(String(describing: self[key]!).prefix(60))")
    }
}
