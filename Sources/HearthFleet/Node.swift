import HearthPolicy
import HearthRoofline

/// A device as a node reports it.
public struct DeviceSummary: Sendable, Codable, Hashable {
    public let selector: String
    public let kind: String
    public let name: String
    public let driver: String
    public let memoryByteCount: UInt64
    /// Why it cannot be used; nil when it can.
    public let unusable: String?

    public init(
        selector: String, kind: String, name: String, driver: String, memoryByteCount: UInt64, unusable: String?
    ) {
        self.selector = selector
        self.kind = kind
        self.name = name
        self.driver = driver
        self.memoryByteCount = memoryByteCount
        self.unusable = unusable
    }

    /// The same device with no more memory than `byteCount`.
    public func limited(toMemory byteCount: UInt64) -> Self {
        Self(
            selector: selector, kind: kind, name: name, driver: driver,
            memoryByteCount: min(memoryByteCount, byteCount), unusable: unusable)
    }

    /// The same device, which is not to be used for `reason`.
    public func barred(for reason: String) -> Self {
        Self(
            selector: selector, kind: kind, name: name, driver: driver, memoryByteCount: memoryByteCount,
            unusable: reason)
    }
}

public enum NodeHealth: String, Sendable, Codable, CaseIterable {
    /// Registered, not probed yet.
    case starting
    case healthy
    /// As the worst of its devices (`DeviceHealth`); the evidence says how.
    case suspect, quarantined, probation
}

/// What a node says of itself when it joins.
public struct NodeRegistration: Sendable, Codable, Hashable {
    public let node: String
    public let bootID: String
    public let version: String
    public let devices: [DeviceSummary]
    /// nil where nobody has said: data that has to stay somewhere is then not sent there.
    public let site: Site?

    public init(node: String, bootID: String, version: String, devices: [DeviceSummary], site: Site? = nil) {
        self.node = node
        self.bootID = bootID
        self.version = version
        self.devices = devices
        self.site = site
    }
}

/// A node as the coordinator knows it.
public struct NodeRecord: Sendable, Codable, Hashable {
    public var node: String
    public var version: String
    public var devices: [DeviceSummary]
    public var health: NodeHealth
    /// Why it is not healthy.
    public var evidence: String?
    public var registeredAt: Double
    public var lastSeenAt: Double
    /// False when nothing was heard from it for a while.
    public var isConnected: Bool
    /// The newest of each device.
    public var ceilings: [Ceilings]
    public var site: Site?
    /// Why an operator has it take no new jobs; nil where it does.
    public var drained: String?
    /// Why nothing that comes as this node counts; nil where it does.
    public var barred: String?

    /// In one word, what counts most: `barred`, `disconnected`, `drained`, else its health.
    public var state: String {
        if barred != nil { return "barred" }
        if !isConnected { return "disconnected" }
        return drained == nil ? health.rawValue : "drained"
    }

    public init(
        node: String, version: String, devices: [DeviceSummary], health: NodeHealth, evidence: String?,
        registeredAt: Double, lastSeenAt: Double, isConnected: Bool, ceilings: [Ceilings]
    ) {
        self.node = node
        self.version = version
        self.devices = devices
        self.health = health
        self.evidence = evidence
        self.registeredAt = registeredAt
        self.lastSeenAt = lastSeenAt
        self.isConnected = isConnected
        self.ceilings = ceilings
    }
}
