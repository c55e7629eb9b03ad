import HearthFleet

/// Where and how the inference server listens.
public struct ServeConfig: Sendable {
    /// HOST:PORT; port 0 takes a free one.
    public var listen = "127.0.0.1:8080"
    /// A file of API keys (`APIKeys`); nil serves everyone, on loopback only.
    public var apiKeyFile: String?
    /// PEM files; both or none.
    public var certificateFile, privateKeyFile: String?
    public var maxBodyByteCount = 4 << 20
    public var maxConnections = 512
    /// Seconds in which a connection has to say something, its headers first of all.
    public var idleSeconds = 60
    /// Where the address in use is written down (`address`); nil nowhere.
    public var stateFolder: String?

    public init() {}

    func check(_ address: ListenAddress) throws(ConfigError) {
        if (certificateFile == nil) != (privateKeyFile == nil) {
            throw ConfigError("TLS needs both a certificate and a private key")
        }
        guard address.isLoopback || apiKeyFile != nil && certificateFile != nil else {
            throw ConfigError(
                "listen: \(listen) can be reached from other hosts: give an API key file and a TLS certificate, or listen on loopback behind a proxy that has both"
            )
        }
        guard maxBodyByteCount > 0, maxConnections > 0, idleSeconds > 0 else {
            throw ConfigError("limits on body size, connections and idle time are positive")
        }
    }
}
