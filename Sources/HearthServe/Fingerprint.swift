import Crypto
import Foundation
import HearthCompute
import HearthFormats

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
        "fp_" + hex(SHA256.hash(data: Data(parts.joined(separator: "\n").utf8))).prefix(16)
    }

    /// SHA-256 of a model's file; of a folder, over a line `digest  name` for each file that a model can be read from.
    public static func digest(ofModel path: String) throws -> String {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
            return try digest(ofFile: path)
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: path).filter { name in
            [".json", ".jinja", ".safetensors"].contains(where: name.hasSuffix)
        }
        let lines = try names.sorted().map { try digest(ofFile: path + "/" + $0) + "  " + $0 + "\n" }
        return hex(SHA256.hash(data: Data(lines.joined().utf8)))
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
        return hex(hash.finalize())
    }

    static func hex(_ digest: SHA256.Digest) -> String {
        digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
