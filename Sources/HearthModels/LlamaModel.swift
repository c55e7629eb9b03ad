import HearthCompute
import HearthFormats
import HearthKernels

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

    /// Encodes one pass over `ids` standing at `position`, `position + 1`, ... and returns the logits,
    /// `[1, vocabulary]` or `[T, vocabulary]`. The cache must hold everything before `position` and gets the rest.
    public func encode(
        ids: Tensor, at position: Int, cache: KVCache, outputs: Outputs, workspace: Workspace,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) -> Tensor {
        let count = ids.shape[0]
        precondition(
            count >= 1 && count == workspace.tokenCount, "\(count) tokens in a workspace of \(workspace.tokenCount)")
        precondition(position + count <= cache.capacity, "the cache holds \(cache.capacity) positions")
        let w = workspace
        try Gather.encode(ids: ids, table: weights.embedding, into: w.x, &encoder)
        for (index, layer) in weights.layers.enumerated() {
            try encodeAttention(layer, index, position, cache, w, &encoder)
            try encodeFeedForward(layer, w, &encoder)
        }
        let rows = outputs == .all ? 0..<count : count - 1..<count
        try RMSNorm.encode(
            w.x.rows(rows), weight: weights.outputNorm, epsilon: config.normEpsilon, into: w.normed.rows(rows), &encoder
        )
        let logits = try w.logits(rows: rows.count)
        try GEMM.encode(w.normed.rows(rows), weights.output, into: logits, &encoder)
        return logits
    }

    private func encodeAttention(
        _ layer: LlamaWeights.Layer, _ index: Int, _ position: Int, _ cache: KVCache, _ w: Workspace,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let (count, d, hq, hkv) = (w.tokenCount, config.headDim, config.headCount, config.kvHeadCount)
        try RMSNorm.encode(
            w.x, weight: layer.attentionNorm, epsilon: config.normEpsilon, into: w.normed, &encoder)
        // New keys and values are written where the cache wants them: no copy afterwards.
        let newKeys = cache.keys[index].reshaped([cache.capacity, hkv, d]).rows(position..<position + count)
        let newValues = cache.values[index].reshaped([cache.capacity, hkv * d]).rows(position..<position + count)
        try GEMM.encode(w.normed, layer.q, into: w.q, &encoder)
        try GEMM.encode(w.normed, layer.k, into: w.k, &encoder)
        try GEMM.encode(w.normed, layer.v, into: newValues, &encoder)
        let q = w.q.reshaped([count, hq, d])
        try RoPE.encode(q, table: ropeTable, position: position, layout: .interleaved, into: q, &encoder)
        try RoPE.encode(
            w.k.reshaped([count, hkv, d]), table: ropeTable, position: position, layout: .interleaved, into: newKeys,
            &encoder)
        try Attention.encode(
            q: w.q.reshaped([1, count, hq, d]), k: cache.keys[index], v: cache.values[index],
            keyCount: position + count, isCausal: true, into: w.attended.reshaped([1, count, hq, d]), lse: w.lse,
            &encoder)
        try GEMM.encode(w.attended, layer.attentionOutput, into: w.projected, &encoder)
        try Add.encode(w.x, w.projected, into: w.x, &encoder)
    }

    private func encodeFeedForward(_ layer: LlamaWeights.Layer, _ w: Workspace, _ encoder: inout CommandEncoder)
        throws(DeviceError)
    {
        try RMSNorm.encode(
            w.x, weight: layer.feedForwardNorm, epsilon: config.normEpsilon, into: w.normed, &encoder)
        try GEMM.encode(w.normed, layer.gate, into: w.gate, &encoder)
        try GEMM.encode(w.normed, layer.up, into: w.up, &encoder)
        try SwiGLU.encode(gate: w.gate, up: w.up, into: w.gate, &encoder)
        try GEMM.encode(w.gate, layer.down, into: w.projected, &encoder)
        try Add.encode(w.x, w.projected, into: w.x, &encoder)
    }
}
