import HearthCompute
import HearthFormats
import HearthKernels

/// A llama model's tensors on one device: views of the mapped file on the CPU, copies on a GPU.
struct LlamaWeights: Sendable {
    struct Layer: Sendable {
        let attentionNorm: Tensor
        let q, k, v, attentionOutput: PackedWeights
        let feedForwardNorm: Tensor
        let gate, up, down: PackedWeights
    }
    let embedding: Tensor
    let layers: [Layer]
    let outputNorm: Tensor
    /// The embedding again where the file ties them.
    let output: PackedWeights

    init(
        _ gguf: GGUFFile, _ config: LlamaConfig, device: Device, activations: PackedWeights.Activations,
        progress: @escaping (Double) -> Void
    ) throws {
        var loader = TensorLoader(
            gguf: gguf, device: device, activations: activations, total: 9 * config.layerCount + 3, progress: progress)
        if gguf.tensors["rope_freqs.weight"] != nil {
            throw FormatError(file: gguf.file.path, "rope_freqs.weight: scaled rotation is not supported")
        }
        let (width, ffn) = (config.width, config.feedForwardWidth)
        let kvWidth = config.kvHeadCount * config.headDim
        embedding = try loader.load("token_embd.weight", [config.vocabularySize, width])
        var layers: [Layer] = []
        for index in 0..<config.layerCount {
            func name(_ part: String) -> String { "blk.\(index).\(part).weight" }
            layers.append(
                Layer(
                    attentionNorm: try loader.load(name("attn_norm"), [width]),
                    q: try loader.pack(name("attn_q"), [width, width]),
                    k: try loader.pack(name("attn_k"), [kvWidth, width]),
                    v: try loader.pack(name("attn_v"), [kvWidth, width]),
                    attentionOutput: try loader.pack(name("attn_output"), [width, width]),
                    feedForwardNorm: try loader.load(name("ffn_norm"), [width]),
                    gate: try loader.pack(name("ffn_gate"), [ffn, width]),
                    up: try loader.pack(name("ffn_up"), [ffn, width]),
                    down: try loader.pack(name("ffn_down"), [width, ffn])))
        }
        self.layers = layers
        outputNorm = try loader.load("output_norm.weight", [width])
        output =
            gguf.tensors["output.weight"] == nil
            ? try PackedWeights(embedding, activations: activations)
            : try loader.pack("output.weight", [config.vocabularySize, width])
    }
}

/// Brings tensors of a GGUF file to a device, checking name, shape and type.
struct TensorLoader {
    let gguf: GGUFFile
    let device: Device
    let activations: PackedWeights.Activations
    let total: Int
    let progress: (Double) -> Void
    private var done = 0

    init(
        gguf: GGUFFile, device: Device, activations: PackedWeights.Activations, total: Int,
        progress: @escaping (Double) -> Void
    ) {
        self.gguf = gguf
        self.device = device
        self.activations = activations
        self.total = total
        self.progress = progress
    }

    private static let types: [GGUFType: DType] = [
        .f32: .f32, .f16: .f16, .bf16: .bf16, .q4_0: .q4_0, .q4_1: .q4_1, .q5_0: .q5_0, .q8_0: .q8_0, .q4_k: .q4_k,
        .q6_k: .q6_k,
    ]

    /// The weights of a linear layer, packed.
    mutating func pack(_ name: String, _ shape: [Int]) throws -> PackedWeights {
        try PackedWeights(try load(name, shape), activations: activations)
    }

    mutating func load(_ name: String, _ shape: [Int]) throws -> Tensor {
        let path = gguf.file.path
        guard let entry = gguf.tensors[name] else { throw FormatError(file: path, "the file has no tensor \(name)") }
        guard entry.shape == shape else {
            throw FormatError(
                file: path, byteOffset: entry.entryOffset, "tensor \(name) is \(entry.shape), expected \(shape)")
        }
        guard let dtype = Self.types[entry.type] else {
            let known = Self.types.keys.map(\.description).sorted().joined(separator: ", ")
            throw FormatError(
                file: path, byteOffset: entry.entryOffset, "tensor \(name) is \(entry.type); supported: \(known)")
        }
        guard shape.count > 1 || dtype == .f32 else {
            throw FormatError(
                file: path, byteOffset: entry.entryOffset, "tensor \(name) is \(entry.type), expected F32")
        }
        done += 1
        progress(Double(done) / Double(total))
        let bytes = gguf.bytes(of: entry)
        if case .cpu = device.backend {
            let buffer = DeviceBuffer(device: device, borrowing: bytes, owner: gguf.file)
            return Tensor(buffer, dtype: dtype, shape: shape)
        }
        let tensor = try device.makeTensor(dtype, shape)
        try tensor.buffer.write(bytes)
        return tensor
    }
}
