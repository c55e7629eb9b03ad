import Foundation
import HearthFormats
import HearthKernels
import HearthModels

/// A folder that keeps packed weights between runs.
public struct PackedCache: Sendable {
    private let path: String
    /// The model's files as they are now, and the layout: what packed weights depend on.
    private let origin: String

    /// - Parameter folder: the operator's own; made if it is not there.
    /// - Throws: what the file system says of the folder or the model.
    public init(folder: String, model: String, activations: LanguageModel.Activations) throws {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let model = URL(fileURLWithPath: model).standardizedFileURL.resolvingSymlinksInPath().path
        let files = try ModelSource.files(at: model).map(Self.identity).joined(separator: "\n")
        origin = "\(PackedWeights.layout), \(activations), \(files)"
        // One file a model and way of packing it: models of one name in two folders are two.
        let key = Data("\(model) \(activations)".utf8).withUnsafeBytes { PackedWeights.checksum($0) }
        path = "\(folder)/\(URL(fileURLWithPath: model).lastPathComponent)-\(String(key, radix: 16)).packed"
        removeLeftOvers(of: folder)
    }

    /// What processes left that were ended while they wrote.
    private func removeLeftOvers(of folder: String) {
        let own = URL(fileURLWithPath: path).lastPathComponent
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            guard name.hasPrefix("\(own)."), name.hasSuffix(".part"),
                let process = pid_t(name.dropFirst(own.count + 1).dropLast(".part".count)),
                kill(process, 0) != 0, errno == ESRCH
            else { continue }
            unlink("\(folder)/\(name)")
        }
    }

    /// What was kept of the model; nil when there is nothing, or when it is of other files or another layout.
    func open() -> PackedFile? { PackedFile(path: path, origin: origin) }

    /// Keeps what `language` packed.
    ///
    /// - Parameter modelDigest: SHA-256 of the model that it was packed from.
    public func keep(_ language: LanguageModel, modelDigest: String) throws {
        try PackedFile.write(language.model, to: path, origin: origin, modelDigest: modelDigest)
    }

    public func remove() { try? FileManager.default.removeItem(atPath: path) }

    /// Name, size, inode and times: a file that was replaced or written to is another.
    private static func identity(_ file: String) throws -> String {
        var status = stat()
        guard stat(file, &status) == 0 else { throw FormatError(file: file, String(cString: strerror(errno))) }
        let (written, changed) = (status.st_mtim, status.st_ctim)
        return
            "\(file) \(status.st_dev):\(status.st_ino) \(status.st_size) \(written.tv_sec).\(written.tv_nsec) \(changed.tv_sec).\(changed.tv_nsec)"
    }
}
