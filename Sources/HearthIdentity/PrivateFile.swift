import Foundation
import HearthFleet

/// Files that only their owner reads.
enum PrivateFile {
    /// Replaces the file, complete or not at all.
    ///
    /// - Parameter mode: 0644 for what others may read.
    static func write(_ text: String, _ path: String, mode: mode_t = 0o600) throws(ConfigError) {
        let temporary = "\(path).new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw ConfigError("\(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        // Whatever the process's mask is.
        fchmod(descriptor, mode)
        guard text.withCString({ Foundation.write(descriptor, $0, strlen($0)) }) == text.utf8.count,
            fsync(descriptor) == 0, rename(temporary, path) == 0
        else { throw ConfigError("\(path): cannot be written: \(String(cString: strerror(errno)))") }
    }

    /// - Throws: where it is missing, or open to others.
    static func read(_ path: String) throws(ConfigError) -> String {
        var status = stat()
        guard stat(path, &status) == 0 else { throw ConfigError("\(path): \(String(cString: strerror(errno)))") }
        guard status.st_mode & 0o077 == 0 else { throw ConfigError("\(path): others can read it; chmod 600 it") }
        return try ConfigError.text(path)
    }
}
