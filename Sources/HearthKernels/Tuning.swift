import CShaders
import Foundation
import HearthCompute
import Synchronization

/// Which variant of a Vulkan product is fastest on a device, by operation and number of rows: measured by `hearth tune`, kept
/// in the cache folder by device, driver and shaders; else what is shipped for devices of the kind (Shaders/tuning.json).
public struct Tuning: Sendable, Codable {
    /// The choice for one operation with `1 << rowsLog2` rows or a few less.
    public struct Entry: Sendable, Codable {
        public let operation: String
        public let rowsLog2: Int
        public let variant: String
        /// Median seconds of each candidate that was not rejected.
        public let seconds: [String: Double]
        /// Why the others were rejected.
        public let rejected: [String: String]

        package init(
            operation: String, rowsLog2: Int, variant: String, seconds: [String: Double], rejected: [String: String]
        ) {
            (self.operation, self.rowsLog2, self.variant) = (operation, rowsLog2, variant)
            (self.seconds, self.rejected) = (seconds, rejected)
        }
    }

    public let device, driver: String
    public var entries: [Entry]

    package init(device: String, driver: String, entries: [Entry] = []) {
        (self.device, self.driver, self.entries) = (device, driver, entries)
    }

    /// Rows 5...8 are one class: the next power of two.
    package static func rowsLog2(_ m: Int) -> Int { m <= 1 ? 0 : Int.bitWidth - (m - 1).leadingZeroBitCount }

    package subscript(operation: String, m: Int) -> String? {
        let wanted = Self.rowsLog2(m)
        return entries.filter { $0.operation == operation }
            .min { abs($0.rowsLog2 - wanted) < abs($1.rowsLog2 - wanted) }?.variant
    }

    // MARK: Files

    /// One file a device, driver and set of shaders; nil for devices without variants.
    public static func file(for device: Device) -> URL? {
        guard let identity = device.kindIdentity else { return nil }
        let shaders = String(cString: cshaders_hash).prefix(12)
        return CacheFolder.url.appending(path: "tuning/\(identity)-\(shaders).json")
    }

    /// nil when the device was never tuned with this driver and these shaders, or the file cannot be read.
    public static func load(for device: Device) -> Tuning? {
        file(for: device).flatMap { try? Data(contentsOf: $0) }.flatMap {
            try? JSONDecoder().decode(Tuning.self, from: $0)
        }
    }

    package func save(for device: Device) throws {
        guard let file = Self.file(for: device) else { return }
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(self).write(to: file, options: .atomic)
    }

    // MARK: Shipped

    /// What is known of a kind of device before it is tuned.
    public struct Shipped: Sendable, Decodable {
        /// Part of the device's name.
        public let match: String
        /// Where and when it was measured; nil: never, the choices are what the hardware's documents suggest.
        public let measured: String?
        let choices: [Choice]

        struct Choice: Sendable, Decodable {
            /// The beginning of an operation's name.
            let operation: String
            let mostRows: Int
            let variant: String
        }

        package func variant(_ operation: String, _ m: Int) -> String? {
            choices.first { operation.hasPrefix($0.operation) && m <= $0.mostRows }?.variant
        }
    }

    package static let shipped: [Shipped] = {
        struct Document: Decodable { let devices: [Shipped] }
        let data = Data(bytes: cshaders_tuning, count: Int(cshaders_tuning_byte_count))
        return (try? JSONDecoder().decode(Document.self, from: data))?.devices ?? []
    }()

    public static func shipped(for device: Device) -> Shipped? {
        shipped.first { device.description.name.contains($0.match) }
    }

    /// What launchers choose by.
    private struct Choices {
        let measured: Tuning?
        let shipped: Shipped?
    }

    /// Found once a process and kind of device; a file written later counts in the next process.
    private static let known = Mutex<[String: Choices]>([:])

    /// The variant that was measured or shipped for `device`.
    static func variant(_ operation: String, rows m: Int, on device: Device) -> String? {
        guard let identity = device.kindIdentity else { return nil }
        let choices = known.withLock { known in
            if let choices = known[identity] { return choices }
            let choices = Choices(measured: load(for: device), shipped: shipped(for: device))
            known[identity] = choices
            return choices
        }
        return choices.measured?[operation, m] ?? choices.shipped?.variant(operation, m)
    }
}
