import HearthCompute
import HearthRoofline

/// Scaled dot-product attention, forward: `o = softmax(q k^T * scale + mask) v`, softmax online in blocks of keys.
///
/// - Shapes: q and o `[B, Tq, Hq, D]`; k and v `[B, C, Hkv, D]` of which the first `Tk <= C` rows are keys (a KV cache of
///   capacity C); `Hq` is a multiple of `Hkv`, and query head h reads KV head `h / (Hq / Hkv)`. lse `[B, Tq, Hq]`, if asked for.
/// - Mask: none, or causal aligned to the bottom right; with Tq = 3 and Tk = 5 (x = attended):
///
///       x x x . .
///       x x x x .
///       x x x x x
///
///   so that the last query sees every key. A row without a key (Tq > Tk) gives zeros and lse = -FLT_MAX.
/// - dtypes: o and lse f32; q f32, f16 or bf16 (Vulkan: f32 or as k and v); k and v f32, f16, bf16 or q8_0 (D a multiple of
///   32); f32 accumulation. D <= 512.
/// - Aliasing: o and lse overlap no input.
/// - Errors: `invalid` when shapes or dtypes do not fit.
/// - Cost: `4 D` FLOPs a query head and attended key; q, attended k and v read once.
/// - Source: Dao et al., FlashAttention, arXiv 2205.14135.
public enum Attention {
    public struct Problem: Sendable, Hashable {
        public let b, tq, tk, hq, hkv, d: Int
        public let isCausal: Bool
        /// A causal query t sees keys up to `t + offset`, and with a window the last `window` of them.
        public let offset: Int
        public let window: Int?
        /// Element types of q, and of k and v.
        public let queries, keys: DType

        package init(
            b: Int, tq: Int, tk: Int, hq: Int, hkv: Int, d: Int, isCausal: Bool, offset: Int? = nil,
            window: Int? = nil, queries: DType = .f32, keys: DType = .f32
        ) {
            (self.queries, self.keys) = (queries, keys)
            (self.b, self.tq, self.tk, self.hq, self.hkv, self.d) = (b, tq, tk, hq, hkv, d)
            (self.isCausal, self.offset, self.window) = (isCausal, offset ?? tk - tq, window)
        }
    }

    /// What attention does beyond the plain product.
    public struct Options: Sendable {
        /// Query 0's own key: key 0, key `Tk - Tq`, or the one named (a past of that many keys).
        public enum Alignment: Sendable { case topLeft, bottomRight, offset(Int) }
        public var isCausal = false
        /// Where the causal diagonal lies when Tq and Tk differ.
        public var alignment = Alignment.bottomRight
        /// A query sees only the last so many keys up to its own.
        public var window: Int?
        /// Scores become `softcap * tanh(score / softcap)` before the mask.
        public var softcap: Float?
        /// nil means `1 / sqrt(D)`.
        public var scale: Float?
        /// `[B or 1, Hq or 1, Tq, Tk]`: f32 is added to the scores, i8 hides a key where it is 0.
        public var mask: Tensor?
        /// A paged KV cache: k and v are `[pages, page size, Hkv, D]`, and entry `[b, i]` of this `[B, n]` i32 names the
        /// page of keys `i * page size ...` of sequence b. Entries beyond the last key are not read;
        /// one that names no page reads the last page.
        public var pages: Tensor?
        /// Each sequence's own number of keys, at most `keyCount`, as an i32 `[B]` that is read when the work runs: one recording
        /// then serves a sequence as it grows. Only with the alignment to the bottom right.
        public var keyCounts: Tensor?

        public init() {}
    }

    /// - Parameters:
    ///   - keyCount: Tk, the valid rows of k and v; nil means all.
    ///   - scale: nil means `1 / sqrt(D)`.
    public static func encode(
        q: Tensor, k: Tensor, v: Tensor, keyCount: Int? = nil, isCausal: Bool, scale: Float? = nil, into o: Tensor,
        lse: Tensor? = nil, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        var options = Options()
        (options.isCausal, options.scale) = (isCausal, scale)
        try encode(q: q, k: k, v: v, keyCount: keyCount, options, into: o, lse: lse, &encoder)
    }

    public static func encode(
        q: Tensor, k: Tensor, v: Tensor, keyCount: Int? = nil, _ options: Options, into o: Tensor, lse: Tensor? = nil,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let problem = try validate(q, k, v, keyCount, options, o, lse)
        var arithmetic = Arithmetic.f32
        if problem.b > 0, problem.tq > 0 {
            switch encoder.device.backend {
            case .cpu(let cpu):
                let pageKeys = k.shape[1]
                try require(
                    options.pages == nil || pageKeys >= leastPageKeys && pageKeys & (pageKeys - 1) == 0, "Attention",
                    "pages of \(pageKeys) keys: on the CPU a power of two from \(leastPageKeys) up")
                runCPU(problem, q, k, v, options, o, lse, cpu)
            case .vulkan:
                var saved = lse
                if saved == nil { saved = try encoder.device.makeTensor(.f32, [problem.b, problem.tq, problem.hq]) }
                arithmetic = try encodeVulkan(problem, q, k, v, options, o, saved!, &encoder)
            }
        }
        encoder.note("attention", cost(problem), arithmetic)
    }

    /// Keys that a sequence's part of the cache holds.
    private static func capacity(_ b: Int, _ k: Tensor, _ options: Options) throws(DeviceError) -> Int {
        guard let pages = options.pages else { return k.shape[1] }
        try require(
            pages.shape.count == 2 && pages.shape[0] == b && pages.dtype == .i32 && pages.isContiguous, "Attention",
            "pages are \(pages.dtype) \(pages.shape), expected i32 [\(b), n]")
        return pages.shape[1] * k.shape[1]
    }

    private static func validate(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, _ keyCount: Int?, _ options: Options, _ o: Tensor, _ lse: Tensor?
    ) throws(DeviceError) -> Problem {
        try require([q, k, v, o].allSatisfy { $0.shape.count == 4 }, "Attention", "q, k, v and o have four dimensions")
        let (b, tq, hq, d) = (q.shape[0], q.shape[1], q.shape[2], q.shape[3])
        let hkv = k.shape[2]
        let capacity = try Self.capacity(b, k, options)
        let tk = keyCount ?? capacity
        try require(
            k.shape[3] == d && (options.pages != nil || k.shape[0] == b), "Attention",
            "q is \(q.shape) but k is \(k.shape)")
        try require(v.shape == k.shape, "Attention", "k is \(k.shape) but v is \(v.shape)")
        try require(o.shape == q.shape, "Attention", "o is \(o.shape), expected \(q.shape)")
        if let lse {
            try require(
                lse.shape == [b, tq, hq] && lse.dtype == .f32 && lse.isContiguous, "Attention",
                "lse is \(lse.dtype) \(lse.shape), expected f32 [\(b), \(tq), \(hq)]")
        }
        try require(hkv > 0 && hq % hkv == 0, "Attention", "\(hq) query heads are no multiple of \(hkv) KV heads")
        try require(0 <= tk && tk <= capacity, "Attention", "\(tk) keys of a cache of \(capacity)")
        try require(d >= 1 && d <= 512, "Attention", "head dimension \(d) is not in 1...512")
        let isQuantised = k.dtype == .q8_0 && d % 32 == 0
        try require(
            q.dtype.plainFormat != nil && (k.dtype.plainFormat != nil || isQuantised) && v.dtype == k.dtype
                && o.dtype == .f32, "Attention",
            "q is f32, f16 or bf16, k and v too or q8_0 with D a multiple of 32, o f32; not \(q.dtype), \(k.dtype), \(v.dtype), \(o.dtype)"
        )
        if let mask = options.mask {
            try require(
                mask.shape.count == 4 && [1, b].contains(mask.shape[0]) && [1, hq].contains(mask.shape[1])
                    && mask.shape[2] == tq && mask.shape[3] >= tk && mask.isContiguous
                    && (mask.dtype == .f32 || mask.dtype == .i8),
                "Attention", "mask is \(mask.dtype) \(mask.shape), expected f32 or i8 [\(b), \(hq), \(tq), \(tk)]")
        }
        if let counts = options.keyCounts {
            try require(
                counts.shape == [b] && counts.dtype == .i32 && counts.isContiguous, "Attention",
                "key counts are \(counts.dtype) \(counts.shape), expected i32 [\(b)]")
            guard case .bottomRight = options.alignment else {
                throw DeviceError(.invalid, "Attention: key counts go with the alignment to the bottom right only")
            }
        }
        try require(
            (options.window ?? 1) > 0 && (options.softcap ?? 1) > 0, "Attention", "window and soft cap are positive")
        let offset = options.alignment.offset(tq: tq, tk: tk)
        try require(
            abs(offset) < 1 << 30 && (options.window ?? 1) < 1 << 30 && tk < 1 << 30 && tq < 1 << 30, "Attention",
            "offset \(offset), window and lengths stay below 2^30")
        try require([q, k, v, o].allSatisfy(\.isContiguous), "Attention", "all tensors are contiguous")
        return Problem(
            b: b, tq: tq, tk: tk, hq: hq, hkv: hkv, d: d, isCausal: options.isCausal,
            offset: offset, window: options.window, queries: q.dtype, keys: k.dtype)
    }
}

extension Attention.Options.Alignment {
    fileprivate func offset(tq: Int, tk: Int) -> Int {
        switch self {
        case .topLeft: 0
        case .bottomRight: tk - tq
        case .offset(let offset): offset
        }
    }
}

extension Attention.Options {
    /// Of one sequence of a batch; key counts stay those of all.
    func ofSequence(_ index: Int) -> Self {
        var one = self
        one.mask = mask.map { $0.shape[0] == 1 ? $0 : $0.rows(index..<index + 1) }
        return one
    }
}

extension Attention.Problem {
    /// A part of the problem; what is nil stays.
    func with(b: Int? = nil, tq: Int? = nil, tk: Int? = nil, offset: Int? = nil) -> Self {
        Attention.Problem(
            b: b ?? self.b, tq: tq ?? self.tq, tk: tk ?? self.tk, hq: hq, hkv: hkv, d: d, isCausal: isCausal,
            offset: offset ?? self.offset, window: window, queries: queries, keys: keys)
    }

    /// Keys that query `row` attends to, masks aside.
    func keys(ofRow row: Int) -> Range<Int> {
        let end = isCausal ? min(tk, max(0, row + offset + 1)) : tk
        return min(end, max(0, window.map { row + offset + 1 - $0 } ?? 0))..<end
    }
}
