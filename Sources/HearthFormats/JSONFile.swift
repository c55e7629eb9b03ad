import HearthJSON

/// A file that is one JSON value.
enum JSONFile {
    /// - Throws: `FormatError` naming the byte where it is none, or its size where that is more than `maximumByteCount`.
    static func read(_ file: String, maximumByteCount: Int) throws -> JSONValue {
        let mapped = try MappedFile(path: file)
        guard mapped.bytes.count <= maximumByteCount else {
            throw FormatError(file: file, "\(mapped.bytes.count) bytes are too many, at most \(maximumByteCount)")
        }
        do throws(JSONError) {
            return try JSONValue(mapped.bytes)
        } catch {
            throw FormatError(file: file, byteOffset: error.byteOffset, error.problem)
        }
    }
}
