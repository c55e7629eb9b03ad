/// The coordinator's settings: `/etc/hearth/coordinator.yaml`, overridden by options.
public struct CoordinatorConfig: Sendable, Hashable {
    public var listen = "127.0.0.1:7070"
    public var state = "/var/lib/hearth/coordinator"
    public init() {}

    public static func parse(yaml text: String, file: String) throws(ConfigError) -> CoordinatorConfig {
        var fields = try YAMLFields(text, file: file)
        var config = CoordinatorConfig()
        config.listen = try fields.string("listen", default: config.listen)
        config.state = try fields.string("state", default: config.state)
        try fields.finish()
        return config
    }
}

/// The agent's settings: `/etc/hearth/agent.yaml`, overridden by options.
public struct AgentConfig: Sendable, Hashable {
    public var coordinator = "http://127.0.0.1:7070"
    /// The agent's own /metrics and /healthz.
    public var listen = "127.0.0.1:7071"
    public var state = "/var/lib/hearth/agent"
    public var tokenFile = "/var/lib/hearth/coordinator/token"
    /// The node's name; nil means the host's.
    public var name: String?
    /// Devices to probe and offer; empty means the CPU and every hardware GPU.
    public var devices: [String] = []
    public var probeDeadlineSeconds = 180.0
    /// How long a probe counts before it is repeated.
    public var probeEverySeconds = 86400.0
    public init() {}

    public static func parse(yaml text: String, file: String) throws(ConfigError) -> AgentConfig {
        var fields = try YAMLFields(text, file: file)
        var config = AgentConfig()
        config.coordinator = try fields.string("coordinator", default: config.coordinator)
        config.listen = try fields.string("listen", default: config.listen)
        config.state = try fields.string("state", default: config.state)
        config.tokenFile = try fields.string("tokenFile", default: config.tokenFile)
        config.name = try fields.string("name", default: "")
        if config.name == "" { config.name = nil }
        config.devices = try fields.strings("devices", default: [])
        config.probeDeadlineSeconds = try fields.double("probeDeadlineSeconds", default: config.probeDeadlineSeconds)
        config.probeEverySeconds = try fields.double("probeEverySeconds", default: config.probeEverySeconds)
        try fields.finish()
        for device in config.devices where !JobSpec.isDevice(device) {
            throw fields.error("devices", "'\(device)' is not cpu or vulkan:INDEX")
        }
        return config
    }
}
