/// A file that is not what it should be: which file, at which byte, and why.
public struct FormatError: Error, Sendable, CustomStringConvertible {
    public let file: String
    /// Where the offending bytes begin; nil when no single place is to blame.
    public let byteOffset: Int?
    public let message: String

    public init(file: String, byteOffset: Int? = nil, _ message: String) {
        self.file = file
        self.byteOffset = byteOffset
        self.message = message
    }

    public var description: String {
        byteOffset.map { "\(file): byte \($0): \(message)" } ?? "\(file): \(message)"
    }
}
