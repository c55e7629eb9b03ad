import Foundation

/// The shared secret of one coordinator and its clients on the same host: a file only its owner can read.
public enum TokenFile {
    /// Reads the token, making the file (mode 0600) with a fresh one where there is none.
    public static func readOrCreate(_ path: String) throws(ConfigError) -> String {
        if FileManager.default.fileExists(atPath: path) { return try read(path) }
        var generator = SystemRandomNumberGenerator()
        let token = (0..<4).map { _ in hex(generator.next()) }.joined()
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ConfigError("\(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        let written = token.withCString { write(descriptor, $0, strlen($0)) }
        guard written == token.utf8.count, fsync(descriptor) == 0 else {
            throw ConfigError("\(path): cannot be written: \(String(cString: strerror(errno)))")
        }
        return token
    }

    /// - Throws: when the file is missing, open to others, or holds no token.
    public static func read(_ path: String) throws(ConfigError) -> String {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw ConfigError(
                "\(path): \(String(cString: strerror(errno))); the coordinator makes it when it first starts")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw ConfigError("\(path): readable by others; chmod 600 it and restart the coordinator with a new token")
        }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw ConfigError("\(path): cannot be read")
        }
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard token.count >= 32 else { throw ConfigError("\(path): holds no token") }
        return token
    }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
