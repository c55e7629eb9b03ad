import Foundation

/// Where Hearth keeps what it can make again: `$HEARTH_CACHE`, else `$XDG_CACHE_HOME/hearth`, else `~/.cache/hearth`.
public enum CacheFolder {
    public static var url: URL {
        let environment = ProcessInfo.processInfo.environment
        if let path = environment["HEARTH_CACHE"], !path.isEmpty { return URL(fileURLWithPath: path) }
        if let path = environment["XDG_CACHE_HOME"], !path.isEmpty {
            return URL(fileURLWithPath: path).appending(path: "hearth")
        }
        return FileManager.default.homeDirectoryForCurrentUser.appending(path: ".cache/hearth")
    }
}
