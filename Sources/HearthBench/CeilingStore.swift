import Foundation
import HearthCompute
import HearthRoofline

/// The ceilings last measured on this machine, one small JSON file a device in the cache folder.
public enum CeilingStore {
    private static func file(_ device: Device) -> URL {
        let about = device.description
        var key = "\(about.selector) \(about.name) \(about.driver)"
        if let threads = device.cpuThreadCount { key += " t\(threads)" }
        let name = String(key.map { $0.isLetter || $0.isNumber ? $0 : "-" })
        return CacheFolder.url.appending(path: "ceilings/\(name).json")
    }

    /// nil when this device was never measured, or the file cannot be read: measuring again is always right.
    public static func load(_ device: Device) -> Ceilings? {
        (try? Data(contentsOf: file(device))).flatMap { try? JSONDecoder().decode(Ceilings.self, from: $0) }
    }

    public static func save(_ ceilings: Ceilings, for device: Device) throws {
        let file = file(device)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try JSONEncoder().encode(ceilings).write(to: file, options: .atomic)
    }
}
