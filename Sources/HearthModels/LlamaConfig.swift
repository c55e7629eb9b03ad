import HearthFormats

/// The sizes of a llama model, in the literature's names.
public struct LlamaConfig: Sendable, Hashable {
    public let layerCount: Int
    public let width: Int
    public let feedForwardWidth: Int
    public let headCount: Int
    public let kvHeadCount: Int
    public let headDim: Int
    public let contextLength: Int
    public let vocabularySize: Int
    public let ropeBase: Double
    public let normEpsilon: Float

    static let architectures = ["llama"]

    /// - Throws: `FormatError` naming the key whose value does not describe a llama model that Hearth runs.
    public init(_ gguf: GGUFFile, vocabularySize: Int) throws(FormatError) {
        let architecture = try gguf.string("general.architecture")
        guard Self.architectures.contains(architecture) else {
            throw FormatError(
                file: gguf.file.path,
                "architecture '\(architecture)' is not supported; supported: \(Self.architectures.joined(separator: ", "))"
            )
        }
        func key(_ name: String) -> String { "\(architecture).\(name)" }
        layerCount = try gguf.integer(key("block_count"), minimum: 1)
        width = try gguf.integer(key("embedding_length"), minimum: 1)
        feedForwardWidth = try gguf.integer(key("feed_forward_length"), minimum: 1)
        headCount = try gguf.integer(key("attention.head_count"), minimum: 1)
        kvHeadCount =
            gguf.metadata[key("attention.head_count_kv")] == nil
            ? headCount : try gguf.integer(key("attention.head_count_kv"), minimum: 1)
        contextLength = try gguf.integer(key("context_length"), minimum: 1)
        normEpsilon = Float(try gguf.float(key("attention.layer_norm_rms_epsilon")))
        ropeBase = gguf.metadata[key("rope.freq_base")] == nil ? 10000 : try gguf.float(key("rope.freq_base"))
        self.vocabularySize = vocabularySize

        func refuse(_ name: String, _ reason: String) -> FormatError {
            FormatError(file: gguf.file.path, "\(key(name)): \(reason)")
        }
        guard width % headCount == 0, width / headCount % 2 == 0, width / headCount <= 512 else {
            throw refuse(
                "attention.head_count",
                "\(headCount) heads do not divide a width of \(width) into even heads of at most 512")
        }
        headDim = width / headCount
        guard headCount % kvHeadCount == 0 else {
            throw refuse("attention.head_count_kv", "\(kvHeadCount) does not divide \(headCount) heads")
        }
        if gguf.metadata[key("rope.dimension_count")] != nil,
            try gguf.integer(key("rope.dimension_count")) != headDim
        {
            throw refuse("rope.dimension_count", "only rotation of whole heads (\(headDim)) is supported")
        }
        if case .string(let scaling)? = gguf.metadata[key("rope.scaling.type")], scaling != "none" {
            throw refuse("rope.scaling.type", "'\(scaling)' is not supported")
        }
        guard layerCount <= 1024, contextLength <= 1 << 24, vocabularySize <= 1 << 24 else {
            throw refuse("block_count", "impossible sizes: \(layerCount) layers, context \(contextLength)")
        }
    }
}
