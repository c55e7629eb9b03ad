/// A GGUF v3 model file: metadata and tensor table, with the weights mapped, not copied.
///
/// Everything read is checked against the file's size before it is believed, so a hostile file gives a `FormatError`
/// with the byte where it goes wrong.
///
/// - Source: the GGUF specification of the ggml project.
public struct GGUFFile: Sendable {
    public let file: MappedFile
    public let metadata: ModelMetadata
    public let tensors: [String: GGUFTensor]

    public init(path: String) throws {
        try self.init(MappedFile(path: path))
    }

    public init(_ file: MappedFile) throws(FormatError) {
        self.file = file
        var parser = GGUFParser(file: file.path, bytes: file.bytes)
        let (values, offsets, tensors) = try parser.parse()
        metadata = ModelMetadata(file: file.path, values: values, offsets: offsets)
        self.tensors = tensors
    }

    public func bytes(of tensor: GGUFTensor) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: file.bytes[tensor.byteRange])
    }
}
