import Foundation
import HearthPolicy

/// The coordinator's settings: `/etc/hearth/coordinator.yaml`, overridden by options.
public struct CoordinatorConfig: Sendable, Hashable {
    public var listen = "127.0.0.1:7070"
    public var state = "/var/lib/hearth/coordinator"
    /// Folder of signed labels and the keys that are trusted with them; nil: where data may be is left to the nodes.
    public var labels, trusted: String?
    /// What sites cost (YAML); nil: nothing is known, and no cloud is paid for.
    public var prices: String?
    /// Makes it speak TLS and give nodes certificates of this SPIFFE trust domain; nil: plain HTTP on loopback.
    public var trustDomain: String?
    /// DNS names and addresses under which it is reached, besides localhost and its host's name.
    public var names: [String] = []
    /// How long a node's certificate is good.
    public var certificateSeconds = 86400.0
    /// Users, their roles and the digests of their tokens.
    public var users: String?
    /// How long reports, and logs of jobs that ended, are kept.
    public var retainDays = 90.0
    /// How long a node that is not heard from keeps jobs that stop on partitions.
    public var leaseSeconds = 60.0
    public init() {}

    public static func parse(yaml text: String, file: String) throws(ConfigError) -> CoordinatorConfig {
        var fields = try YAMLFields(text, file: file)
        var config = CoordinatorConfig()
        config.listen = try fields.string("listen", default: config.listen)
        config.state = try fields.string("state", default: config.state)
        (config.labels, config.trusted) = (try fields.optional("labels"), try fields.optional("trusted"))
        (config.prices, config.users) = (try fields.optional("prices"), try fields.optional("users"))
        config.trustDomain = try fields.optional("trustDomain")
        config.names = try fields.strings("names", default: [])
        config.certificateSeconds = try fields.double("certificateSeconds", default: config.certificateSeconds)
        config.retainDays = try fields.double("retainDays", default: config.retainDays)
        if !(config.retainDays >= 1 && config.retainDays <= 36500) { throw fields.error("retainDays", "1 to 36500") }
        config.leaseSeconds = try fields.double("leaseSeconds", default: config.leaseSeconds)
        if !(config.leaseSeconds >= 2 && config.leaseSeconds <= 86400) {
            throw fields.error("leaseSeconds", "2 to 86400")
        }
        if !(config.certificateSeconds >= 2 && config.certificateSeconds <= 366 * 86400) {
            throw fields.error("certificateSeconds", "2 to 31622400")
        }
        try fields.finish()
        if (config.labels == nil) != (config.trusted == nil) {
            throw fields.error("labels", "needs trusted beside it, and trusted labels")
        }
        return config
    }
}

/// Whether jobs see only what is theirs.
public enum SandboxMode: String, Sendable, CaseIterable {
    /// Where bubblewrap works; the agent says at its start where it does not.
    case auto
    /// Or the agent does not start.
    case required
    case off
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
    /// Where this node is and which labels it trusts; nil means /etc/hearth/admission.yaml, where there is one.
    public var admission: String?
    public var sandbox = SandboxMode.auto
    public var probeDeadlineSeconds = 180.0
    /// How long a probe counts before it is repeated.
    public var probeEverySeconds = 86400.0
    /// Between probes of a device that is not healthy.
    public var probeAgainSeconds = 30.0
    /// Between checks of a device's speed while the node has no job (six core-seconds each on two cores); 0: never.
    public var checkSpeedSeconds = 1800.0
    /// Another text than before has devices' speeds learned anew: what is usual has changed for good, as by a power limit.
    public var speedReference = ""
    /// Between samples of how busy the node is; 0: none.
    public var sampleLoadSeconds = 15.0
    /// Of each job.
    public var jobLimits = JobLimits()
    public init() {}

    public static func parse(yaml text: String, file: String) throws(ConfigError) -> AgentConfig {
        var fields = try YAMLFields(text, file: file)
        var config = AgentConfig()
        config.coordinator = try fields.string("coordinator", default: config.coordinator)
        config.listen = try fields.string("listen", default: config.listen)
        config.state = try fields.string("state", default: config.state)
        config.tokenFile = try fields.string("tokenFile", default: config.tokenFile)
        (config.name, config.admission) = (try fields.optional("name"), try fields.optional("admission"))
        config.devices = try fields.strings("devices", default: [])
        let sandbox = try fields.string("sandbox", default: config.sandbox.rawValue)
        guard let mode = SandboxMode(rawValue: sandbox) else {
            throw fields.error("sandbox", "'\(sandbox.prefix(40))' is none of auto, required, off")
        }
        config.sandbox = mode
        config.probeDeadlineSeconds = try fields.double("probeDeadlineSeconds", default: config.probeDeadlineSeconds)
        config.probeEverySeconds = try fields.double("probeEverySeconds", default: config.probeEverySeconds)
        config.probeAgainSeconds = try fields.double("probeAgainSeconds", default: config.probeAgainSeconds)
        config.checkSpeedSeconds = try fields.double("checkSpeedSeconds", default: config.checkSpeedSeconds)
        if !(config.checkSpeedSeconds >= 0 && config.checkSpeedSeconds <= 1e7) {
            throw fields.error("checkSpeedSeconds", "0 to 1e7")
        }
        config.speedReference = try fields.string("speedReference", default: config.speedReference)
        config.sampleLoadSeconds = try fields.double("sampleLoadSeconds", default: config.sampleLoadSeconds)
        if !(config.sampleLoadSeconds == 0 || (1...3600).contains(config.sampleLoadSeconds)) {
            throw fields.error("sampleLoadSeconds", "0, or 1 to 3600")
        }
        config.jobLimits = JobLimits(
            memoryGibibytes: try fields.optionalDouble("jobMemoryGibibytes", in: JobLimits.memoryRange),
            cpus: try fields.optionalDouble("jobCpus", in: JobLimits.cpuRange),
            timeoutSeconds: try fields.optionalDouble("jobTimeoutSeconds", in: JobLimits.timeoutRange))
        try fields.finish()
        for device in config.devices where !JobSpec.isDevice(device) {
            throw fields.error("devices", "'\(device)' is not cpu or vulkan:INDEX")
        }
        return config
    }
}

/// What a node knows of its own place and of labels: `/etc/hearth/admission.yaml`. Root's: a job must not be able to change it.
public struct AdmissionConfig: Sendable, Hashable {
    public static let standardPath = "/etc/hearth/admission.yaml"

    public var site: Site
    /// Folder of signed labels, and the keys that are trusted with them.
    public var labels = "/etc/hearth/labels"
    public var trusted = "/etc/hearth/label-keys"

    /// The settings at `path`; where that is nil, the standard ones if there are any.
    ///
    /// - Throws: `ConfigError` naming file, line and field.
    public static func read(_ path: String?) throws(ConfigError) -> AdmissionConfig? {
        // Only what is not there is none: what cannot be looked at may say something.
        var status = stat()
        if path == nil, stat(standardPath, &status) != 0, errno == ENOENT || errno == ENOTDIR { return nil }
        let path = path ?? standardPath
        return try parse(yaml: try ConfigError.text(path), file: path)
    }

    public static func parse(yaml text: String, file: String) throws(ConfigError) -> AdmissionConfig {
        var fields = try YAMLFields(text, file: file)
        let name = try fields.string("site")
        guard FleetName.isValid(name) else { throw fields.error("site", "1 to 128 letters, digits, '.', '_' or '-'") }
        let kind = try fields.string("kind")
        guard let known = Site.Kind(rawValue: kind) else {
            throw fields.error("kind", "'\(kind.prefix(40))' is none of onprem, edge, cloud")
        }
        let country = try fields.string("country")
        guard country.utf8.count == 2, country.utf8.allSatisfy({ (65...90).contains($0) }) else {
            throw fields.error("country", "'\(country.prefix(40))' is not two capital letters (ISO 3166-1)")
        }
        var config = AdmissionConfig(site: Site(name: name, kind: known, country: country))
        config.labels = try fields.string("labels", default: config.labels)
        config.trusted = try fields.string("trusted", default: config.trusted)
        try fields.finish()
        return config
    }
}
