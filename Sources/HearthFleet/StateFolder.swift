import Foundation

/// The folder in which a daemon keeps its state.
public enum StateFolder {
    /// Makes the folder (mode 0700) where it is missing, and checks that files can be written in it.
    public static func prepare(_ path: String) throws(ConfigError) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw ConfigError("\(path): the state folder cannot be made: \(error.localizedDescription)")
        }
        guard access(path, R_OK | W_OK | X_OK) == 0 else {
            throw ConfigError("\(path): the state folder cannot be used: \(String(cString: strerror(errno)))")
        }
    }

    /// Held for as long as the process lives: two daemons on one folder would corrupt each other's view.
    public static func lock(_ path: String) throws(ConfigError) {
        let file = path + "/lock"
        let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ConfigError("\(file): \(String(cString: strerror(errno)))") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw ConfigError("\(path): another process uses this state folder")
        }
    }
}
