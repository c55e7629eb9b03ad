import Foundation
import HearthFleet
import HearthIdentity
import HearthPolicy

/// Makes lines of the file that `UserList` reads.
public enum UserFile {
    /// A new user's line, and the token it is for, which is kept nowhere.
    ///
    /// - Throws: `ConfigError` for a name or a role that there is not.
    public static func line(name: String, role: String) throws(ConfigError) -> (line: String, token: String) {
        guard FleetName.isValid(name) else {
            throw ConfigError("name: '\(name.prefix(40))' is not 1 to 128 letters, digits, '.', '_' or '-'")
        }
        guard Principal.Role(rawValue: role) != nil else {
            let roles = Principal.Role.allCases.map(\.rawValue).joined(separator: ", ")
            throw ConfigError("role: '\(role.prefix(40))' is none of \(roles)")
        }
        let token = Secret.random()
        return ("\(name) \(role) \(Secret.digest(token))", token)
    }

    /// Adds `line` to the file, which is made where there is none. - Throws: `ConfigError`, for a user that is there already too.
    public static func append(_ line: String, to path: String) throws(ConfigError) {
        var text = FileManager.default.fileExists(atPath: path) ? try ConfigError.text(path) : ""
        if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
        text += line + "\n"
        let temporary = "\(path).new"
        do { try Data(text.utf8).write(to: URL(fileURLWithPath: temporary)) } catch {
            throw ConfigError("\(path): cannot be written: \(error.localizedDescription)")
        }
        defer { unlink(temporary) }
        do { _ = try UserList(path: temporary) } catch { throw ConfigError("\(path): \(error)") }
        guard rename(temporary, path) == 0 else { throw ConfigError("\(path): \(String(cString: strerror(errno)))") }
    }
}
