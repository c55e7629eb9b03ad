import HearthCompute
import HearthRoofline

/// Scaled dot-product attention, forward: `o = softmax(q k^T * scale + mask) v`, softmax online in blocks of keys.
///
/// - Shapes: q and o `[B, Tq, Hq, D]`; k and v `[B, C, Hkv, D]` of which the first `Tk <= C` rows are keys (a KV cache of
///   capacity C); `Hq` is a multiple of `Hkv`, and query head h reads KV head `h / (Hq / Hkv)`. lse `[B, Tq, Hq]`.
/// - Mask: none, or causal aligned to the bottom right; with Tq = 3 and Tk = 5 (x = attended):
///
///       x x x . .
///       x x x x .
///       x x x x x
///
///   so that the last query sees every key. A row without a key (Tq > Tk) gives zeros and lse = -FLT_MAX.
/// - dtypes: f32, f32 accumulation. D <= 512.
/// - Aliasing: o and lse overlap no input.
/// - Errors: `invalid` when shapes or dtypes do not fit.
/// - Cost: `4 D` FLOPs a query head and attended key; q, attended k and v read once.
/// - Source: Dao et al., FlashAttention, arXiv 2205.14135.
public enum Attention {
    public struct Problem: Sendable, Hashable {
        public let b, tq, tk, hq, hkv, d: Int
        public let isCausal: Bool

        package init(b: Int, tq: Int, tk: Int, hq: Int, hkv: Int, d: Int, isCausal: Bool) {
            (self.b, self.tq, self.tk, self.hq, self.hkv, self.d) = (b, tq, tk, hq, hkv, d)
            self.isCausal = isCausal
        }
    }

    /// - Parameters:
    ///   - keyCount: Tk, the valid rows of k and v; nil means all.
    ///   - scale: nil means `1 / sqrt(D)`.
    public static func encode(
        q: Tensor, k: Tensor, v: Tensor, keyCount: Int? = nil, isCausal: Bool, scale: Float? = nil, into o: Tensor,
        lse: Tensor, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let problem = try validate(q, k, v, keyCount, isCausal, o, lse)
        let factor = scale ?? 1 / Float(problem.d).squareRoot()
        if problem.b > 0, problem.tq > 0 {
            switch encoder.device.backend {
            case .cpu(let cpu): runCPU(problem, q, k, v, factor, o, lse, cpu)
            case .vulkan: try encodeVulkan(problem, q, k, v, factor, o, lse, &encoder)
            }
        }
        encoder.note("attention", cost(problem))
    }

    private static func validate(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, _ keyCount: Int?, _ isCausal: Bool, _ o: Tensor, _ lse: Tensor
    ) throws(DeviceError) -> Problem {
        try require([q, k, v, o].allSatisfy { $0.shape.count == 4 }, "Attention", "q, k, v and o have four dimensions")
        let (b, tq, hq, d) = (q.shape[0], q.shape[1], q.shape[2], q.shape[3])
        let (capacity, hkv) = (k.shape[1], k.shape[2])
        let tk = keyCount ?? capacity
        try require(k.shape == [b, capacity, hkv, d], "Attention", "q is \(q.shape) but k is \(k.shape)")
        try require(v.shape == k.shape, "Attention", "k is \(k.shape) but v is \(v.shape)")
        try require(o.shape == q.shape, "Attention", "o is \(o.shape), expected \(q.shape)")
        try require(lse.shape == [b, tq, hq], "Attention", "lse is \(lse.shape), expected [\(b), \(tq), \(hq)]")
        try require(hkv > 0 && hq % hkv == 0, "Attention", "\(hq) query heads are no multiple of \(hkv) KV heads")
        try require(0 <= tk && tk <= capacity, "Attention", "\(tk) keys of a cache of \(capacity)")
        try require(d >= 1 && d <= 512, "Attention", "head dimension \(d) is not in 1...512")
        try require([q, k, v, o, lse].allSatisfy { $0.dtype == .f32 }, "Attention", "all tensors are f32")
        try require([q, k, v, o, lse].allSatisfy(\.isContiguous), "Attention", "all tensors are contiguous")
        return Problem(b: b, tq: tq, tk: tk, hq: hq, hkv: hkv, d: d, isCausal: isCausal)
    }
}

extension Attention.Problem {
    /// Keys that query `row` attends to.
    func keys(ofRow row: Int) -> Int { isCausal ? min(tk, max(0, row + 1 + tk - tq)) : tk }
}
