import Foundation
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
        origin = "\(PackedWeights.layout), \(activations), \(try Self.identity(model))"
        path = "\(folder)/\(URL(fileURLWithPath: model).lastPathComponent).packed"
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

    /// Each file's name, size, inode and times: a file that was replaced or written to is another.
    private static func identity(_ model: String) throws -> String {
        var isFolder: ObjCBool = false
        _ = FileManager.default.fileExists(atPath: model, isDirectory: &isFolder)
        let files =
            isFolder.boolValue
            ? try FileManager.default.contentsOfDirectory(atPath: model).sorted().map { "\(model)/\($0)" } : [model]
        return try files.map { file in
            var status = stat()
            guard stat(file, &status) == 0 else {
                throw CocoaError(.fileReadNoSuchFile, userInfo: [NSFilePathErrorKey: file])
            }
            let (written, changed) = (status.st_mtim, status.st_ctim)
            return
                "\(file) \(status.st_dev):\(status.st_ino) \(status.st_size) \(written.tv_sec).\(written.tv_nsec) \(changed.tv_sec).\(changed.tv_nsec)"
        }.joined(separator: "\n")
    }
}
