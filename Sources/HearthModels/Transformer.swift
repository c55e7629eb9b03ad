import HearthCompute
import HearthFormats
import HearthKernels
import HearthRoofline

/// The forward pass of every architecture, on any device.
///
/// Where embeddings are scaled by `s`, the residual stream is kept divided by `s`: normalisations of the stream do not see the
/// difference but for their epsilon, which is divided by `s^2`, and what is added comes from post-norms, whose weights are
/// divided by `s` at load.
public final class Transformer: Sendable {
    public let config: ModelConfig
    public let device: Device
    private let weights: ModelWeights
    private let ropeTable, windowRopeTable: Tensor?

    /// - Parameters:
    ///   - positions: the longest sequence that will be run.
    ///   - kept: weights packed in an earlier run from the same files.
    public init(
        _ source: ModelSource, config: ModelConfig, device: Device, positions: Int,
        activations: PackedWeights.Activations = .int8, kept: PackedFile? = nil,
        progress: @escaping (Double) -> Void = { _ in }
    ) throws {
        precondition(
            !config.architecture.scalesEmbedding || config.architecture.hasPostNorms,
            "a scaled embedding needs post-norms")
        self.config = config
        self.device = device
        let weights = try ModelWeights(
            source, config, device: device, activations: activations, kept: kept, progress: progress)
        func table(_ base: Double, scale: Double) throws(DeviceError) -> Tensor {
            let values = RoPE.table(
                positions: positions, headDim: config.headDim, base: base, scale: scale, factors: weights.ropeFactors)
            return try device.makeTensor(values, [positions, config.headDim / 2, 2])
        }
        if case .rotary = config.architecture.positions {
            ropeTable = try table(config.ropeBase, scale: config.ropeScale)
            windowRopeTable = config.window == nil ? nil : try table(config.windowRopeBase, scale: 1)
        } else {
            (ropeTable, windowRopeTable) = (nil, nil)
        }
        self.weights = weights
    }

    /// Every matrix in the layout of its kernel.
    var packed: [(PackedFile.Part, PackedWeights)] { weights.packed }
    /// Whether something was packed in this run.
    public var hasPacked: Bool { weights.hasPacked }

    /// One pass as it is being encoded: the first rows of the workspace, and where keys and values are.
    private struct Pass {
        let batch: Batch
        let pool: KVPool
        let w: Workspace
        /// At least what the longest piece sees: a recording is made for more.
        let keys: Int
        let epsilon: Float

        func rows(_ tensor: Tensor) -> Tensor { tensor.rows(0..<batch.tokenCount) }
    }

    /// What a pass gives for its output rows: logits, `[rows, vocabulary]`, or what they are made of, `[rows, width]`.
    public enum Output: Sendable { case logits, hidden }

    /// Encodes one pass over what `workspace` was given and returns `output` of the batch's output rows; nil when it wants none. The pool must hold everything before and gets the rest.
    ///
    /// Of the batch only its shape is encoded: a recording of a decode step serves every step of as many sequences with at
    /// most `keys` keys each.
    public func encode(
        _ batch: Batch, keys: Int? = nil, output: Output = .logits, pool: KVPool, workspace w: Workspace,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) -> Tensor? {
        let longest = batch.pieces.map(\.keyCount).max() ?? 0
        let scale = config.embeddingScale
        let pass = Pass(
            batch: batch, pool: pool, w: w, keys: max(keys ?? longest, longest),
            epsilon: config.normEpsilon / (scale * scale))
        let (x, normed, projected) = (pass.rows(w.x), pass.rows(w.normed), pass.rows(w.projected))
        try Gather.encode(ids: pass.rows(w.ids), table: weights.embedding, into: x, &encoder)
        if let table = weights.positions {
            try Gather.encode(ids: pass.rows(w.positions), table: table, into: projected, &encoder)
            try Add.encode(x, projected, into: x, &encoder)
        }
        try encodeNorm(x, weights.layers[0].attentionNorm, into: normed, pass, &encoder)
        // What a block adds to the stream goes there together with the normalisation for the next one.
        for (index, layer) in weights.layers.enumerated() {
            try encodeAttention(layer, index, pass, &encoder)
            try encodePostNorm(projected, layer.postAttentionNorm, &encoder)
            try encodeNorm(adding: projected, to: x, layer.feedForwardNorm, into: normed, pass, &encoder)
            try encodeFeedForward(layer, pass, &encoder)
            try encodePostNorm(projected, layer.postFeedForwardNorm, &encoder)
            guard index + 1 < weights.layers.count else { break }
            let next = weights.layers[index + 1].attentionNorm
            try encodeNorm(adding: projected, to: x, next, into: normed, pass, &encoder)
        }
        return try encodeOutputs(pass, output, &encoder)
    }

    /// The last normalisation and the logits, of the rows wanted only.
    private func encodeOutputs(
        _ pass: Pass, _ output: Output, _ encoder: inout CommandEncoder
    ) throws(DeviceError) -> Tensor? {
        let (w, wanted) = (pass.w, pass.batch.outputRows)
        guard let first = wanted.first, let last = wanted.last else { return nil }
        var (x, projected) = (w.x.rows(first..<last + 1), w.projected.rows(first..<last + 1))
        let isScattered = last - first + 1 > wanted.count
        if isScattered {
            let rows = w.outputs.rows(0..<wanted.count)
            let all = 0..<wanted.count
            try Gather.encode(ids: rows, table: pass.rows(w.x), into: w.selected.rows(all), &encoder)
            try Gather.encode(ids: rows, table: pass.rows(w.projected), into: w.normed.rows(all), &encoder)
            (x, projected) = (w.selected.rows(all), w.normed.rows(all))
        }
        let normed = (isScattered ? w.projected : w.normed).rows(0..<wanted.count)
        try encodeNorm(adding: projected, to: x, weights.outputNorm, into: normed, pass, &encoder)
        if output == .hidden { return normed }
        let logits = try w.logits(rows: wanted.count)
        try GEMM.encode(normed, weights.output, into: logits, &encoder)
        return logits
    }

    // MARK: Blocks

    private func encodeAttention(
        _ layer: ModelWeights.Layer, _ index: Int, _ pass: Pass, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let (w, count) = (pass.w, pass.batch.tokenCount)
        let (d, hq, hkv) = (config.headDim, config.headCount, config.kvHeadCount)
        let (normed, q, k, v) = (pass.rows(w.normed), pass.rows(w.q), pass.rows(w.k), pass.rows(w.v))
        try layer.q.encode(normed, into: q, &encoder)
        try layer.k.encode(normed, into: k, &encoder)
        try layer.v.encode(normed, into: v, &encoder)
        let hasWindow = config.hasWindow(index)
        let (keys, values) = (pass.pool.keys[index], pass.pool.values[index])
        func rows(_ stored: Tensor) -> Tensor {
            stored.reshaped([pass.pool.pageCount * KVPool.pageKeys, config.kvWidth])
        }
        let cache = RoPE.Cache(keys: rows(keys), values: rows(values), slots: pass.rows(w.slots))
        if case .rotary(let layout) = config.architecture.positions {
            func norm(_ weight: Tensor?) -> RoPE.Norm? {
                weight.map { RoPE.Norm(weight: $0, epsilon: config.normEpsilon) }
            }
            let new = RoPE.Projected(
                q: q.reshaped([count, hq, d]), k: k.reshaped([count, hkv, d]), v: v.reshaped([count, hkv, d]),
                queryNorm: norm(layer.queryNorm), keyNorm: norm(layer.keyNorm))
            try RoPE.append(
                new, table: hasWindow ? windowRopeTable! : ropeTable!, positions: pass.rows(w.positions),
                layout: layout, to: cache, &encoder)
        } else {
            try Scatter.encode(k, rows: cache.slots, into: cache.keys, &encoder)
            try Scatter.encode(v, rows: cache.slots, into: cache.values, &encoder)
        }
        var options = Attention.Options()
        (options.isCausal, options.scale, options.softcap) = (true, config.scoreScale, config.scoreSoftcap)
        if hasWindow { options.window = config.window }
        func attend(_ sequences: Int, rows: Range<Int>, keyCount: Int) throws(DeviceError) {
            let shape = [sequences, rows.count / sequences, hq]
            try Attention.encode(
                q: w.q.rows(rows).reshaped(shape + [d]), k: keys, v: values, keyCount: keyCount, options,
                into: w.attended.rows(rows).reshaped(shape + [d]), lse: w.lse.rows(0..<rows.count).reshaped(shape),
                &encoder)
        }
        let singles = pass.batch.singleCount
        if singles > 0 {
            (options.pages, options.keyCounts) = (w.pages.rows(0..<singles), w.keyCounts.rows(0..<singles))
            try attend(singles, rows: 0..<singles, keyCount: pass.keys)
        }
        var first = singles
        for (index, piece) in pass.batch.pieces.enumerated().dropFirst(singles) {
            (options.keyCounts, options.pages) = w.keys(ofPiece: index)
            try attend(1, rows: first..<first + piece.tokens.count, keyCount: piece.keyCount)
            first += piece.tokens.count
        }
        try layer.attentionOutput.encode(pass.rows(w.attended), into: pass.rows(w.projected), &encoder)
    }

    private func encodeFeedForward(
        _ layer: ModelWeights.Layer, _ pass: Pass, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let (normed, gate, up) = (pass.rows(pass.w.normed), pass.rows(pass.w.gate), pass.rows(pass.w.up))
        let activation = config.architecture.feedForward.activation
        if let gated = layer.gate {
            try gated.encode(normed, times: layer.up, activation: activation, scratch: gate, into: up, &encoder)
        } else {
            try layer.up.encode(normed, activation: activation, into: up, &encoder)
        }
        try layer.down.encode(up, into: pass.rows(pass.w.projected), &encoder)
    }

    // MARK: Normalisation

    private func encodeNorm(
        _ x: Tensor, _ norm: Norm, into y: Tensor, _ pass: Pass, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        switch config.architecture.norm {
        case .rms: try RMSNorm.encode(x, weight: norm.weight, epsilon: pass.epsilon, into: y, &encoder)
        case .layer:
            try LayerNorm.encode(
                x, weight: norm.weight, bias: norm.bias, epsilon: pass.epsilon, into: y,
                statistics: pass.w.statistics.rows(0..<x.shape[0]), &encoder)
        }
    }

    private func encodeNorm(
        adding addend: Tensor, to x: Tensor, _ norm: Norm, into y: Tensor, _ pass: Pass,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        if config.architecture.norm == .rms {
            return try RMSNorm.encode(
                adding: addend, to: x, weight: norm.weight, epsilon: pass.epsilon, into: y, &encoder)
        }
        try Add.encode(x, addend, into: x, &encoder)
        try encodeNorm(x, norm, into: y, pass, &encoder)
    }

    private func encodePostNorm(_ x: Tensor, _ weight: Tensor?, _ encoder: inout CommandEncoder) throws(DeviceError) {
        guard let weight else { return }
        try RMSNorm.encode(x, weight: weight, epsilon: config.normEpsilon, into: x, &encoder)
    }

    /// What attention of one layer costs when sequences see so many keys: a recording was made for more.
    package func stepAttentionCosts(_ batch: Batch) -> [Cost] {
        (0..<config.layerCount).map { index in
            batch.pieces.reduce(.zero) { sum, piece in
                sum
                    + Attention.cost(
                        .init(
                            b: 1, tq: piece.tokens.count, tk: piece.keyCount, hq: config.headCount,
                            hkv: config.kvHeadCount, d: config.headDim, isCausal: true,
                            window: config.hasWindow(index) ? config.window : nil))
            }
        }
    }
}
