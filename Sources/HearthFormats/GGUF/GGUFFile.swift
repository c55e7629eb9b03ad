/// A GGUF v3 model file: metadata and tensor table, with the weights mapped, not copied.
///
/// Everything read is checked against the file's size before it is believed, so a hostile file gives a `FormatError`
/// with the byte where it goes wrong.
///
/// - Source: the GGUF specification of the ggml project.
public struct GGUFFile: Sendable {
    public let file: MappedFile
    public let metadata: [String: GGUFValue]
    public let tensors: [String: GGUFTensor]
    /// Where each metadata value begins, for error messages.
    let valueOffsets: [String: Int]

    public init(path: String) throws {
        try self.init(MappedFile(path: path))
    }

    public init(_ file: MappedFile) throws(FormatError) {
        self.file = file
        var parser = GGUFParser(file: file.path, bytes: file.bytes)
        (metadata, valueOffsets, tensors) = try parser.parse()
    }

    public func bytes(of tensor: GGUFTensor) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: file.bytes[tensor.byteRange])
    }

    // MARK: Typed metadata

    public func string(_ key: String) throws(FormatError) -> String {
        guard case .string(let value)? = metadata[key] else { throw missing(key, "a string") }
        return value
    }

    /// A whole number that is at least `minimum`.
    public func integer(_ key: String, minimum: Int = 0) throws(FormatError) -> Int {
        let value: Int? =
            switch metadata[key] {
            case .unsigned(let value): Int(exactly: value)
            case .signed(let value): Int(value)
            default: nil
            }
        guard let value, value >= minimum else { throw missing(key, "a whole number of at least \(minimum)") }
        return value
    }

    public func float(_ key: String) throws(FormatError) -> Double {
        guard case .float(let value)? = metadata[key], value.isFinite else { throw missing(key, "a finite number") }
        return value
    }

    public func bool(_ key: String, default fallback: Bool) throws(FormatError) -> Bool {
        guard let value = metadata[key] else { return fallback }
        guard case .bool(let flag) = value else { throw missing(key, "true or false") }
        return flag
    }

    public func strings(_ key: String) throws(FormatError) -> [String] {
        guard case .strings(let value)? = metadata[key] else { throw missing(key, "a list of strings") }
        return value
    }

    public func integers(_ key: String) throws(FormatError) -> [Int64] {
        guard case .integers(let value)? = metadata[key] else { throw missing(key, "a list of whole numbers") }
        return value
    }

    func error(_ key: String, _ message: String) -> FormatError {
        FormatError(file: file.path, byteOffset: valueOffsets[key], "\(key): \(message)")
    }

    private func missing(_ key: String, _ expected: String) -> FormatError {
        metadata[key] == nil
            ? FormatError(file: file.path, "the metadata has no \(key); expected \(expected)")
            : error(key, "expected \(expected), found \(String(describing: metadata[key]!).prefix(60))")
    }
}
