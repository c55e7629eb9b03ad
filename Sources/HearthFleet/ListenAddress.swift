import Foundation

/// Where a daemon listens.
public struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    public let host: String
    public let port: Int

    /// `HOST:PORT`, `[IPV6]:PORT`. - Throws: `ConfigError` naming the text.
    public init(_ text: String) throws(ConfigError) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65535).contains(port), colon > text.startIndex
        else { throw ConfigError("listen: '\(text)' is not HOST:PORT") }
        host = text[..<colon].trimmingCharacters(["[", "]"])
        self.port = port
    }

    public var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }
    public var description: String { text(port: port) }

    private func text(port: Int) -> String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Writes the URL in use to `<folder>/address`, so that port 0 can be asked for, and returns it.
    public func announce(boundPort: Int?, in folder: String, isSecure: Bool = false) -> String {
        let url = "http\(isSecure ? "s" : "")://\(text(port: boundPort ?? port))"
        try? Data(url.utf8).write(to: URL(fileURLWithPath: folder + "/address"), options: .atomic)
        return url
    }

    /// What to do about a socket that could not be bound; nil for an error that has no advice.
    public func bindProblem(errno code: Int32) -> ConfigError? {
        switch code {
        case EADDRINUSE:
            ConfigError("listen: \(self) is in use by another program; choose another port with --listen")
        case EACCES: ConfigError("listen: this user may not listen on \(self)")
        default: nil
        }
    }
}

extension StringProtocol {
    fileprivate func trimmingCharacters(_ set: Set<Character>) -> String {
        var text = Substring(self)
        while let first = text.first, set.contains(first) { text.removeFirst() }
        while let last = text.last, set.contains(last) { text.removeLast() }
        return String(text)
    }
}
