import HearthCompute
import HearthRoofline

extension RoPE {
    /// What a layer makes of its tokens: `[T, H, D]` each, with the heads' normalisations where a model has them.
    public struct Projected: Sendable {
        public let q, k, v: Tensor
        public var queryNorm, keyNorm: Norm?

        public init(q: Tensor, k: Tensor, v: Tensor, queryNorm: Norm? = nil, keyNorm: Norm? = nil) {
            (self.q, self.k, self.v, self.queryNorm, self.keyNorm) = (q, k, v, queryNorm, keyNorm)
        }
    }

    /// Rows `[R, Hkv D]` of keys and of values, and which of them each token gets: i32 `[T]`.
    public struct Cache: Sendable {
        public let keys, values, slots: Tensor

        public init(keys: Tensor, values: Tensor, slots: Tensor) {
            (self.keys, self.values, self.slots) = (keys, values, slots)
        }
    }

    /// Rotates queries where they lie and appends to a KV cache: rotated keys, and values, as `Scatter` stores them. What k holds
    /// afterwards is undefined.
    ///
    /// - Vulkan: one kernel, where heads are not normalised, D is a multiple of 4 and the cache is f32, f16 or bf16.
    /// - Errors: as `encode` and `Scatter.encode`. Cost: of the parts, less a copy of the keys where it is one kernel.
    public static func encode(
        _ new: Projected, table: Tensor, positions: Tensor, layout: Layout, into cache: Cache,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let (tokens, hq, d) = try check(new.q, new.queryNorm, table, .each(positions), new.q)
        let (_, hkv, _) = try check(new.k, new.keyNorm, table, .each(positions), new.k)
        try require(
            new.v.shape == new.k.shape && new.v.isContiguous, "RoPE",
            "values are \(new.v.shape), expected as keys \(new.k.shape)")
        let (k, v) = (new.k.reshaped([tokens, hkv * d]), new.v.reshaped([tokens, hkv * d]))
        try Scatter.check(k, rows: cache.slots, into: cache.keys)
        try Scatter.check(v, rows: cache.slots, into: cache.values)
        let isPlain = new.queryNorm == nil && new.keyNorm == nil && d % 4 == 0
        guard case .vulkan = encoder.device.backend, isPlain, tokens > 0, cache.keys.dtype != .q8_0,
            cache.keys.shape == cache.values.shape, cache.keys.dtype == cache.values.dtype,
            cache.keys.elementCount <= Int(UInt32.max)
        else {
            for (x, norm) in [(new.q, new.queryNorm), (new.k, new.keyNorm)] {
                try encode(x, norm: norm, table: table, positions: .each(positions), layout: layout, into: x, &encoder)
            }
            try Scatter.encode(k, rows: cache.slots, into: cache.keys, &encoder)
            try Scatter.encode(v, rows: cache.slots, into: cache.values, &encoder)
            return
        }
        let sizes = [tokens, hq, hkv, d, layout == .halfSplit ? 1 : 0, table.shape[0], cache.keys.shape[0]]
        try encoder.dispatch(
            "rope_append_\(cache.keys.dtype)", reads: [new.k, new.v, table, positions, cache.slots],
            writes: [new.q, cache.keys, cache.values], push: sizes.map(UInt32.init),
            groups: grid((tokens * (hq + 2 * hkv) * d / 4 + 63) / 64))
        let stored = Double(cache.keys.dtype.blockByteCount * tokens * hkv * d)
        let turned = cost(tokens: tokens, heads: hq + hkv, headDim: d)
        let values = Double(4 * tokens * hkv * d)
        encoder.note(
            "rope.append",
            Cost(
                flops: turned.flops, bytesRead: turned.bytesRead + values,
                bytesWritten: Double(4 * tokens * hq * d) + 2 * stored))
    }
}
