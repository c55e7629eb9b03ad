import Foundation
import HearthFormats
import HearthKernels

/// Packed weights of one model as they were kept in a file: what takes most of a large model's load is then a mapping.
///
/// Magic, the header's length and its checksum, 8 bytes each; a JSON header; and the parts, each at a whole page with its checksum.
/// What the bytes depend on is in the header: a file that was made of other weights or for another layout is no file.
public struct PackedFile: Sendable {
    /// A matrix, or consecutive rows of one.
    struct Part: Hashable, Codable {
        let name: String
        let firstRow: Int
    }

    private struct Entry: Codable {
        let part: Part
        let start, byteCount: Int
        let checksum: UInt64
    }

    private struct Header: Codable {
        let origin: String
        let modelDigest: String
        let entries: [Entry]
    }

    let file: MappedFile
    /// SHA-256 of the model that the weights were packed from.
    public let modelDigest: String
    private let entries: [Part: Entry]

    private static let magic = UInt64(0x324B_4350_4854_5248)
    private static let prefixByteCount = 24
    private static let pageByteCount = 4096

    /// The file at `path` if it was made of `origin`; nil if not, or if it is damaged.
    public init?(path: String, origin: String) {
        let prefix = Self.prefixByteCount
        guard Self.isOwn(path), let file = try? MappedFile(path: path), file.bytes.count > prefix,
            file.bytes.loadUnaligned(as: UInt64.self) == Self.magic,
            let length = Int(exactly: file.bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
            length > 0, length <= file.bytes.count - prefix
        else { return nil }
        let text = UnsafeRawBufferPointer(rebasing: file.bytes[prefix..<prefix + length])
        guard PackedWeights.checksum(text) == file.bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self),
            let header = try? JSONDecoder().decode(Header.self, from: Data(text)), header.origin == origin
        else { return nil }
        (self.file, modelDigest) = (file, header.modelDigest)
        entries = Dictionary(header.entries.map { ($0.part, $0) }) { first, _ in first }
    }

    /// Whether nobody but this user may have written the file.
    private static func isOwn(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && status.st_uid == geteuid()
            && status.st_mode & 0o022 == 0
    }

    /// What was kept of `part`, as it was written.
    func bytes(of part: Part) -> UnsafeRawBufferPointer? {
        guard let entry = entries[part], entry.start >= 0, entry.byteCount > 0, entry.start <= file.bytes.count,
            entry.byteCount <= file.bytes.count - entry.start
        else { return nil }
        let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[entry.start..<entry.start + entry.byteCount])
        return PackedWeights.checksum(bytes) == entry.checksum ? bytes : nil
    }

    /// Writes what `model` packed: all or nothing, as a file that only its owner reads.
    ///
    /// - Throws: what the file system says.
    public static func write(_ model: Transformer, to path: String, origin: String, modelDigest: String) throws {
        var entries: [Entry] = []
        var parts: [UnsafeRawBufferPointer] = []
        var end = 0
        for (part, weights) in model.packed {
            guard let bytes = weights.bytes else { continue }
            entries.append(
                Entry(
                    part: part, start: end, byteCount: bytes.count,
                    checksum: PackedWeights.checksum(bytes)))
            parts.append(bytes)
            end += (bytes.count + pageByteCount - 1) / pageByteCount * pageByteCount
        }
        if parts.isEmpty { return }
        // The header's own length moves what it says: room for it is taken before.
        func header(_ shift: Int) throws -> Data {
            let moved = entries.map {
                Entry(part: $0.part, start: $0.start + shift, byteCount: $0.byteCount, checksum: $0.checksum)
            }
            return try JSONEncoder().encode(Header(origin: origin, modelDigest: modelDigest, entries: moved))
        }
        let room = try (header(1 << 40).count + prefixByteCount + pageByteCount - 1) / pageByteCount * pageByteCount
        let text = try header(room)
        let sum = text.withUnsafeBytes { PackedWeights.checksum($0) }
        // A name that no other process writes to, and that nobody has put there before.
        let temporary = "\(path).\(getpid()).part"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FormatError(file: temporary, String(cString: strerror(errno))) }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            try handle.write(contentsOf: withUnsafeBytes(of: (magic, UInt64(text.count), sum)) { Data($0) } + text)
            for (entry, bytes) in zip(entries, parts) {
                try handle.seek(toOffset: UInt64(entry.start + room))
                // In pieces, so that no second copy of the weights is in memory.
                for start in stride(from: 0, to: bytes.count, by: 1 << 22) {
                    try Task.checkCancellation()
                    try handle.write(contentsOf: Data(bytes[start..<min(start + 1 << 22, bytes.count)]))
                }
            }
            try handle.synchronize()
            try handle.close()
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else { throw FormatError(file: path, String(cString: strerror(errno))) }
    }
}
