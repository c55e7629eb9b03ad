import HearthCompute
import HearthFormats
import HearthKernels

/// A model's tensors on one device.
struct ModelWeights: Sendable {
    struct Layer: Sendable {
        let attentionNorm: Norm
        let q, k, v, attentionOutput: Linear
        let queryNorm, keyNorm: Tensor?
        let postAttentionNorm: Tensor?
        let feedForwardNorm: Norm
        /// nil where the feed-forward is not gated.
        let gate: Linear?
        let up, down: Linear
        let postFeedForwardNorm: Tensor?
    }
    let embedding: Tensor
    let positions: Tensor?
    let layers: [Layer]
    let outputNorm: Norm
    /// The embedding again where the file ties them.
    let output: PackedWeights
    /// Every matrix that was packed.
    let packed: [(PackedFile.Part, PackedWeights)]
    let hasPacked: Bool
    /// What each pair's angle is divided by, where the model was stretched to longer contexts.
    let ropeFactors: [Float]?

    init(
        _ source: ModelSource, _ config: ModelConfig, device: Device, activations: PackedWeights.Activations,
        kept: PackedFile?, progress: @escaping (Double) -> Void
    ) throws {
        let kind = config.architecture
        var loader = TensorLoader(
            source: source, device: device, activations: activations, kept: kept, progress: progress)
        let (width, vocabulary) = (config.width, config.vocabularySize)
        embedding = try loader.load("token_embd.weight", [vocabulary, width])
        positions =
            kind.positions == .learned ? try loader.load("position_embd.weight", [config.contextLength, width]) : nil
        ropeFactors =
            loader.has("rope_freqs.weight")
            ? try loader.load("rope_freqs.weight", [config.headDim / 2]).read(as: Float.self) : config.ropeFactors
        layers = try (0..<config.layerCount).map { try Self.layer($0, config, &loader) }
        outputNorm = try loader.norm("output_norm", width, kind.norm)
        output =
            loader.has("output.weight")
            ? try loader.linear("output", [vocabulary, width]).weights
            : try loader.pack(embedding, "token_embd.weight")
        (packed, hasPacked) = (loader.packed, loader.hasPacked)
        try loader.checkAllRead()
    }

    private static func layer(_ index: Int, _ config: ModelConfig, _ loader: inout TensorLoader) throws -> Layer {
        let (kind, width, ffn) = (config.architecture, config.width, config.feedForwardWidth)
        let (queries, keys, d) = (config.queryWidth, config.kvWidth, config.headDim)
        func name(_ part: String) -> String { "blk.\(index).\(part)" }
        let q: Linear
        let k: Linear
        let v: Linear
        if kind.hasFusedQKV {
            let shape = [queries + 2 * keys, width]
            func part(_ rows: Range<Int>, _ loader: inout TensorLoader) throws -> Linear {
                try loader.linear(name("attn_qkv"), shape, rows: rows)
            }
            q = try part(0..<queries, &loader)
            k = try part(queries..<queries + keys, &loader)
            v = try part(queries + keys..<queries + 2 * keys, &loader)
        } else {
            q = try loader.linear(name("attn_q"), [queries, width])
            k = try loader.linear(name("attn_k"), [keys, width])
            v = try loader.linear(name("attn_v"), [keys, width])
        }
        /// In units of the unscaled embedding: see `Transformer`.
        func postNorm(_ part: String, _ loader: inout TensorLoader) throws -> Tensor? {
            guard kind.hasPostNorms else { return nil }
            let stored = try loader.load(name(part) + ".weight", [width])
            let scaled = try stored.read(as: Float.self).map { $0 / config.embeddingScale }
            return try loader.device.makeTensor(scaled, [width])
        }
        return Layer(
            attentionNorm: try loader.norm(name("attn_norm"), width, kind.norm), q: q, k: k, v: v,
            attentionOutput: try loader.linear(name("attn_output"), [width, queries]),
            queryNorm: kind.hasHeadNorms ? try loader.load(name("attn_q_norm.weight"), [d]) : nil,
            keyNorm: kind.hasHeadNorms ? try loader.load(name("attn_k_norm.weight"), [d]) : nil,
            postAttentionNorm: try postNorm("post_attention_norm", &loader),
            feedForwardNorm: try loader.norm(name("ffn_norm"), width, kind.norm),
            gate: kind.feedForward.isGated ? try loader.linear(name("ffn_gate"), [ffn, width]) : nil,
            up: try loader.linear(name("ffn_up"), [ffn, width]),
            down: try loader.linear(name("ffn_down"), [width, ffn]),
            postFeedForwardNorm: try postNorm("post_ffw_norm", &loader))
    }
}

extension ModelConfig {
    /// What embeddings are multiplied with.
    var embeddingScale: Float { architecture.scalesEmbedding ? Float(width).squareRoot() : 1 }
}
