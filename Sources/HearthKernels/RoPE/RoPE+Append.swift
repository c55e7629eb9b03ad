import HearthCompute
import HearthRoofline

extension RoPE {
    /// What a layer makes of its tokens, `[T, H, D]` each, with the heads' normalisations where a model has them.
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

    /// Appends to a KV cache: `keys[slots[t]] = rotate(k[t])`, `values[slots[t]] = v[t]`, and `q[t] = rotate(q[t])` where
    /// queries lie. What k holds afterwards is undefined.
    ///
    /// - dtypes: q, k and v f32; the cache as `Scatter` takes it, which also says what becomes of slots outside it.
    /// - Vulkan: one kernel, where no head is normalised, D is a multiple of 4, and keys and values are of one shape and one
    ///   type of f32, f16 and bf16; else, and on the CPU, its parts one after the other.
    /// - Aliasing: no two of q, k, v, keys and values overlap. Errors: as `encode` and `Scatter.encode`.
    /// - Cost: of the parts; one kernel writes rotated keys once.
    public static func append(
        _ new: Projected, table: Tensor, positions: Tensor, layout: Layout, to cache: Cache,
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
        let isOneKernel = new.queryNorm == nil && new.keyNorm == nil && d % 4 == 0 && hasOneKernel(cache) && tokens > 0
        guard case .vulkan = encoder.device.backend, isOneKernel else {
            for (x, norm) in [(new.q, new.queryNorm), (new.k, new.keyNorm)] {
                try encode(x, norm: norm, table: table, positions: .each(positions), layout: layout, into: x, &encoder)
            }
            try Scatter.encode(k, rows: cache.slots, into: cache.keys, &encoder)
            try Scatter.encode(v, rows: cache.slots, into: cache.values, &encoder)
            return
        }
        let dtype = cache.keys.dtype
        let sizes = [tokens, hq, hkv, d, layout == .halfSplit ? 1 : 0, table.shape[0], cache.keys.shape[0]]
        try encoder.dispatch(
            "rope_append_\(dtype)", reads: [new.k, new.v, table, positions, cache.slots],
            writes: [new.q, cache.keys, cache.values], push: sizes.map(UInt32.init),
            groups: grid((tokens * (hq + 2 * hkv) * d / 4 + 63) / 64))
        encoder.note("rope.append", appendCost(tokens: tokens, heads: (hq, hkv), headDim: d, cache: dtype))
    }

    private static func hasOneKernel(_ cache: Cache) -> Bool {
        let (keys, values) = (cache.keys, cache.values)
        return keys.dtype != .q8_0 && keys.dtype == values.dtype && keys.shape == values.shape
            && keys.elementCount <= Int(UInt32.max)
    }
}
