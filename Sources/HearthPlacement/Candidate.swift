import HearthFleet
import HearthPolicy
import HearthRoofline

/// A node as placement sees it.
public struct PlacementNode: Sendable {
    public var record: NodeRecord
    /// Until what it has been given is done, as far as that can be told.
    public var busySeconds: Double
    /// Of each device, by its selector.
    public var histories: [String: KernelHistory]
    /// What the node drew while jobs ran on each device, by its own counters.
    public var watts: [String: Double] = [:]

    public init(_ record: NodeRecord, busySeconds: Double = 0, histories: [String: KernelHistory] = [:]) {
        (self.record, self.busySeconds, self.histories) = (record, busySeconds, histories)
    }

    public var isCloud: Bool { record.site?.kind == .cloud }

    /// The device that `wanted` means here, as `hearth run` will take it: software Vulkan devices only when named by index.
    public func device(_ wanted: String) -> DeviceSummary? {
        let usable = record.devices.filter { $0.unusable == nil }
        let hardware = usable.first { $0.selector.hasPrefix("vulkan") && $0.kind != "software" }
        switch wanted {
        case "auto": return hardware ?? usable.first { $0.selector == "cpu" } ?? usable.first
        case "vulkan": return hardware
        default: return usable.first { $0.selector == wanted }
        }
    }
}

/// What placement knows of one node for one job: the numbers, or why it cannot be.
public struct Candidate: Sendable, Codable, Hashable {
    public let node: String
    public let site: Site?
    public internal(set) var device: String?
    /// Why it is none; nil where it is one.
    public internal(set) var refusal: String?
    /// Whether it is a label that refuses.
    public internal(set) var isForbidden = false
    /// Whether it could be one later: it is away, drained, or not measured.
    public internal(set) var isAway = false
    /// Why it may, where labels were asked.
    public internal(set) var permission: String?
    public internal(set) var waitSeconds = 0.0
    /// nil where nobody said what the job computes, or the device was not measured.
    public internal(set) var predicted: JobPrediction?
    /// From now; nil as above.
    public internal(set) var finishSeconds: Double?
    /// What the node draws meanwhile, by its own counters; nil where it has none: then the site's price says.
    public internal(set) var measuredWatts: Double?
    /// nil where the site's price or the time is not known.
    public internal(set) var cost: Double?
    /// What would have to be moved there.
    public internal(set) var movedByteCount = 0.0

    init(_ node: PlacementNode) { (self.node, site) = (node.record.node, node.record.site) }

    public var isCloud: Bool { site?.kind == .cloud }
}
