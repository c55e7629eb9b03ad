import Crypto
import Foundation
import HearthCompute
import HearthFormats
import HearthJSON

/// What an answer can be traced by: the model's digest, this node, the device and the settings that change bits.
public enum Fingerprint {
    public static func parts(model path: String, device: Device, settings: String) throws -> [String] {
        [
            try digest(ofModel: path), ProcessInfo.processInfo.hostName, device.selector, device.description.name,
            settings,
        ]
    }

    /// `fp_` and 16 hexadecimal digits of a SHA-256 over `parts`, which are logged where the server starts.
    public static func make(_ parts: [String]) -> String {
        "fp_" + SHA256.hash(data: Data(parts.joined(separator: "\n").utf8)).hexadecimal.prefix(16)
    }

    /// SHA-256 of a model's file; of a folder, over a line `digest  name` for each file that the model is read from.
    public static func digest(ofModel path: String) throws -> String {
        let files = try ModelSource.files(at: path)
        if files == [path] { return try digest(ofFile: path) }
        let lines = try files.map { try digest(ofFile: $0) + "  " + URL(fileURLWithPath: $0).lastPathComponent + "\n" }
        return SHA256.hash(data: Data(lines.joined().utf8)).hexadecimal
    }

    /// SHA-256 of a file, read through a mapping.
    public static func digest(ofFile path: String) throws -> String {
        let file = try MappedFile(path: path)
        var hash = SHA256()
        for start in stride(from: 0, to: file.bytes.count, by: 1 << 22) {
            hash.update(
                bufferPointer: UnsafeRawBufferPointer(
                    rebasing: file.bytes[start..<min(start + (1 << 22), file.bytes.count)]))
        }
        return hash.finalize().hexadecimal
    }
}
