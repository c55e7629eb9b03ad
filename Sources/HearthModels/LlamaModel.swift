import HearthCompute
import HearthFormats
import HearthKernels
import HearthRoofline

/// The llama architecture on any device: RMSNorm, GQA attention with rotary positions, SwiGLU feed-forward.
///
/// - Source: Touvron et al., arXiv 2302.13971; weights in GGUF's order, so rotation is over interleaved pairs.
public final class LlamaModel: Sendable {
    public let config: LlamaConfig
    public let device: Device
    private let weights: LlamaWeights
    private let ropeTable: Tensor

    /// - Parameter positions: the longest sequence that will be run.
    public init(
        _ gguf: GGUFFile, config: LlamaConfig, device: Device, positions: Int,
        activations: PackedWeights.Activations = .int8, progress: @escaping (Double) -> Void = { _ in }
    ) throws {
        self.config = config
        self.device = device
        weights = try LlamaWeights(gguf, config, device: device, activations: activations, progress: progress)
        ropeTable = try device.makeTensor(
            RoPE.table(positions: positions, headDim: config.headDim, base: config.ropeBase),
            [positions, config.headDim / 2, 2])
    }

    /// Which rows of the last layer become logits.
    public enum Outputs: Sendable { case last, all }

    /// Encodes one pass over what `workspace` was given and returns the logits, `[1, vocabulary]` or `[T, vocabulary]`. The
    /// cache must hold everything before and gets the rest. Nothing that is encoded depends on the position: a recording
    /// serves every step with at most `keys` keys.
    public func encode(
        keys: Int, cache: KVCache, outputs: Outputs, workspace w: Workspace, _ encoder: inout CommandEncoder
    ) throws(DeviceError) -> Tensor {
        let count = w.tokenCount
        precondition(
            w.writtenKeys <= keys && keys <= cache.capacity,
            "\(w.writtenKeys) of \(keys) keys in a cache of \(cache.capacity)")
        try Gather.encode(ids: w.ids, table: weights.embedding, into: w.x, &encoder)
        let epsilon = config.normEpsilon
        try RMSNorm.encode(
            w.x, weight: weights.layers[0].attentionNorm, epsilon: epsilon, into: w.normed, &encoder)
        // What a block adds to the stream goes there together with the normalisation for the next one.
        var rows = 0..<count
        for (index, layer) in weights.layers.enumerated() {
            try encodeAttention(layer, index, keys, cache, w, &encoder)
            try RMSNorm.encode(
                adding: w.projected, to: w.x, weight: layer.feedForwardNorm, epsilon: epsilon, into: w.normed, &encoder)
            try encodeFeedForward(layer, w, &encoder)
            let isLast = index + 1 == weights.layers.count
            if isLast, outputs == .last { rows = count - 1..<count }
            try RMSNorm.encode(
                adding: w.projected.rows(rows), to: w.x.rows(rows),
                weight: isLast ? weights.outputNorm : weights.layers[index + 1].attentionNorm, epsilon: epsilon,
                into: w.normed.rows(rows), &encoder)
        }
        let logits = try w.logits(rows: rows.count)
        try GEMM.encode(w.normed.rows(rows), weights.output, into: logits, &encoder)
        return logits
    }

    private func encodeAttention(
        _ layer: LlamaWeights.Layer, _ index: Int, _ keys: Int, _ cache: KVCache, _ w: Workspace,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let (count, d, hq, hkv) = (w.tokenCount, config.headDim, config.headCount, config.kvHeadCount)
        try GEMM.encode(w.normed, layer.q, into: w.q, &encoder)
        try GEMM.encode(w.normed, layer.k, into: w.k, &encoder)
        try GEMM.encode(w.normed, layer.v, into: w.v, &encoder)
        for (x, heads) in [(w.q, hq), (w.k, hkv)] {
            let x = x.reshaped([count, heads, d])
            try RoPE.encode(
                x, table: ropeTable, positions: .each(w.positions), layout: .interleaved, into: x, &encoder)
        }
        for (new, cached) in [(w.k, cache.keys[index]), (w.v, cache.values[index])] {
            let rows = cached.reshaped([cache.capacity, hkv * d])
            try Scatter.encode(new, rows: w.positions, into: rows, &encoder)
        }
        var options = Attention.Options()
        (options.isCausal, options.keyCounts) = (true, w.keyCount)
        try Attention.encode(
            q: w.q.reshaped([1, count, hq, d]), k: cache.keys[index], v: cache.values[index], keyCount: keys, options,
            into: w.attended.reshaped([1, count, hq, d]), lse: w.lse, &encoder)
        try GEMM.encode(w.attended, layer.attentionOutput, into: w.projected, &encoder)
    }

    private func encodeFeedForward(_ layer: LlamaWeights.Layer, _ w: Workspace, _ encoder: inout CommandEncoder)
        throws(DeviceError)
    {
        try GEMM.encode(w.normed, layer.gate, into: w.gate, &encoder)
        try GEMM.encode(w.normed, layer.up, into: w.up, &encoder)
        try SwiGLU.encode(gate: w.gate, up: w.up, into: w.gate, &encoder)
        try GEMM.encode(w.gate, layer.down, into: w.projected, &encoder)
    }

    /// What a replayed step's attention costs in one layer: its recording was made for more keys.
    package func stepAttentionCost(keys: Int) -> Cost {
        Attention.cost(
            .init(
                b: 1, tq: 1, tk: keys, hq: config.headCount, hkv: config.kvHeadCount, d: config.headDim, isCausal: true)
        )
    }
}
