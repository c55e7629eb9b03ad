import Foundation

/// A model as it lies on disk, in GGUF's names whatever the format: a GGUF file, or a folder as Hugging Face publishes models.
public struct ModelSource: Sendable {
    /// The file or the folder.
    public let path: String
    public let name: String
    public let metadata: ModelMetadata
    public let tensors: [String: StoredTensor]
    public let tokenizer: Tokenizer
    /// Tokens that end a reply, besides those known by their names.
    public let endIDs: [Int32]
    public let chatTemplate: String?
    /// Bytes of the files with tensors.
    public let byteCount: Int
    /// Q and K are as they were trained, with rotation over pairs half a head apart. GGUF's converter reorders some families.
    public let rotatesHalves: Bool

    /// - Throws: `FormatError` naming the file, and the byte or the field, that is not what it should be.
    public init(path: String) throws {
        if Self.isFolder(path) {
            self = try HuggingFaceFolder(path: path).source()
        } else {
            try self.init(GGUFFile(path: path))
        }
    }

    /// The files that a model at `path` is read from, in order: it, or those of a folder that are there.
    public static func files(at path: String) throws -> [String] {
        guard isFolder(path) else { return [path] }
        let small = [
            "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
            "model.safetensors.index.json",
        ]
        return try FileManager.default.contentsOfDirectory(atPath: path).sorted()
            .filter { small.contains($0) || $0.hasSuffix(".safetensors") }.map { "\(path)/\($0)" }
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    private init(_ gguf: GGUFFile) throws(FormatError) {
        (path, metadata) = (gguf.file.path, gguf.metadata)
        name =
            (try? metadata.string("general.name"))
            ?? URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
        tensors = gguf.tensors.mapValues {
            StoredTensor(
                type: $0.type, shape: $0.shape, file: gguf.file, byteRange: $0.byteRange, entryOffset: $0.entryOffset)
        }
        tokenizer = try Tokenizer(metadata)
        endIDs = []
        chatTemplate = try? metadata.string("tokenizer.chat_template")
        byteCount = gguf.file.bytes.count
        rotatesHalves = false
    }

    init(
        folder: String, metadata: ModelMetadata, tensors: [String: StoredTensor], tokenizer: Tokenizer,
        endIDs: [Int32], chatTemplate: String?
    ) {
        path = folder
        name = URL(fileURLWithPath: folder).standardizedFileURL.lastPathComponent
        (self.metadata, self.tensors, self.tokenizer) = (metadata, tensors, tokenizer)
        (self.endIDs, self.chatTemplate) = (endIDs, chatTemplate)
        let mapped = Dictionary(tensors.values.map { ($0.file.path, $0.file.bytes.count) }) { first, _ in first }
        byteCount = mapped.values.reduce(0, +)
        rotatesHalves = true
    }
}

/// A tensor in a mapped file.
public struct StoredTensor: Sendable {
    /// What has to be done to the stored values to have the model's.
    public enum Layout: Sendable {
        case asIs
        /// The file has columns first, `[in, out]`.
        case transposed
        /// The file has what is to be added to 1.
        case aboveOne
    }

    public let type: GGUFType
    /// Outermost first, of the model's values.
    public internal(set) var shape: [Int]
    public let file: MappedFile
    public let byteRange: Range<Int>
    /// Where its entry in the file's table begins; nil where that is text.
    public let entryOffset: Int?
    public var layout = Layout.asIs

    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: file.bytes[byteRange]) }
}
