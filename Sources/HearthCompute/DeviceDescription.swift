/// What can be known of a device without opening it.
public struct DeviceDescription: Sendable, Hashable, Codable {
    public enum Kind: String, Sendable, Codable { case cpu, discrete, integrated, virtual, software }

    public struct MatrixShape: Sendable, Hashable, Codable {
        public let m, n, k: Int
        /// Component types, for example `f16`.
        public let a, b, c, result: String
        public let scope: String
    }

    /// What selects it: `cpu`, `vulkan:0`.
    public let selector: String
    public let kind: Kind
    public let name: String
    public let driver: String
    public let apiVersion: String
    public let memoryByteCount: UInt64
    /// Bytes that may still be allocated; nil where the driver does not say.
    public let freeByteCount: UInt64?
    public let subgroupSize: Int
    public let features: [String]
    public let matrixShapes: [MatrixShape]
    /// Why Hearth cannot use it; nil when it can.
    public let unusable: String?
}

/// Which device a user asked for.
public enum DeviceSelector: Sendable, Hashable, CustomStringConvertible {
    /// The first hardware GPU, the CPU where there is none. Never a software Vulkan device.
    case auto
    case cpu
    /// The first hardware GPU.
    case vulkan
    /// That Vulkan device, software ones included: naming it is asking for it.
    case vulkanIndex(Int)

    public init(_ text: String) throws(DeviceError) {
        switch text {
        case "auto": self = .auto
        case "cpu": self = .cpu
        case "vulkan": self = .vulkan
        default:
            guard text.hasPrefix("vulkan:"), let index = Int(text.dropFirst(7)), index >= 0 else {
                throw DeviceError(.noSuchDevice, "'\(text)' is no device; use auto, cpu, vulkan or vulkan:INDEX")
            }
            self = .vulkanIndex(index)
        }
    }

    public var description: String {
        switch self {
        case .auto: "auto"
        case .cpu: "cpu"
        case .vulkan: "vulkan"
        case .vulkanIndex(let index): "vulkan:\(index)"
        }
    }
}
