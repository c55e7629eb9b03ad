import Foundation

/// A signer's key in a file that only its owner reads.
public enum KeyFile {
    /// Reads the key, making the file with a new one named `name` where there is none.
    ///
    /// - Throws: `SignedNote.Problem` naming the file.
    public static func readOrCreate(
        _ path: String, name: String, kind: VerifierKey.Kind = .author
    ) throws(SignedNote.Problem) -> SignerKey {
        if FileManager.default.fileExists(atPath: path) {
            let key = try read(path)
            guard key.verifier.kind == kind else {
                throw SignedNote.Problem(
                    "\(path): is the key of \(key.verifier.kind == .author ? "an author" : "a witness")")
            }
            return key
        }
        guard SignedNote.isName(name) else { throw SignedNote.Problem("'\(name)' cannot be a key's name") }
        let key = SignerKey(name: name, kind: kind)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SignedNote.Problem("\(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        let text = key.secret + "\n"
        guard text.withCString({ write(descriptor, $0, strlen($0)) }) == text.utf8.count, fsync(descriptor) == 0 else {
            throw SignedNote.Problem("\(path): \(String(cString: strerror(errno)))")
        }
        return key
    }

    public static func read(_ path: String) throws(SignedNote.Problem) -> SignerKey {
        var status = stat()
        guard stat(path, &status) == 0 else { throw SignedNote.Problem("\(path): \(String(cString: strerror(errno)))") }
        guard status.st_mode & 0o077 == 0 else { throw SignedNote.Problem("\(path): others can read it; chmod 600 it") }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8),
            let key = SignerKey(secret: text.trimmingCharacters(in: .whitespacesAndNewlines))
        else { throw SignedNote.Problem("\(path): holds no signer's key; remove it to have a new one made") }
        return key
    }
}
