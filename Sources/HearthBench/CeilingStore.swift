import Foundation
import HearthCompute
import HearthRoofline

/// The ceilings last measured on this machine, one small JSON file a device in the cache folder.
public enum CeilingStore {
    private static func file(_ device: DeviceDescription) -> URL {
        let key = "\(device.selector) \(device.name) \(device.driver)"
        let name = String(key.map { $0.isLetter || $0.isNumber ? $0 : "-" })
        return CacheFolder.url.appending(path: "ceilings/\(name).json")
    }

    /// nil when this device was never measured, or the file cannot be read: measuring again is always right.
    public static func load(_ device: DeviceDescription) -> Ceilings? {
        (try? Data(contentsOf: file(device))).flatMap { try? JSONDecoder().decode(Ceilings.self, from: $0) }
    }

    public static func save(_ ceilings: Ceilings, for device: DeviceDescription) throws {
        let file = file(device)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try JSONEncoder().encode(ceilings).write(to: file, options: .atomic)
    }
}
