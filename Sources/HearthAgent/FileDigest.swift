import Crypto
import Foundation
import HearthJSON

/// SHA-256 of a file, read a piece at a time from an open descriptor: what is read afterwards through it is the same file.
package enum FileDigest {
    /// A file that cannot be read.
    package struct Problem: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// - Returns: hexadecimal digits, and how many bytes there are. The descriptor stands at the file's end.
    /// - Throws: `Problem` naming `file`.
    package static func sha256(_ handle: FileHandle, _ file: String) throws -> (digest: String, byteCount: Int) {
        var (hash, count) = (SHA256(), 0)
        do {
            while let piece = try handle.read(upToCount: 1 << 22), !piece.isEmpty {
                hash.update(data: piece)
                count += piece.count
            }
        } catch { throw Problem(description: "\(file): cannot be read: \(error.localizedDescription)") }
        return (hash.finalize().hexadecimal, count)
    }

    /// - Throws: `Problem` naming `file`.
    package static func open(_ file: String) throws -> FileHandle {
        guard let handle = FileHandle(forReadingAtPath: file) else {
            throw Problem(description: "\(file): no such file, or not readable")
        }
        return handle
    }
}
