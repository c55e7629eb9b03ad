import HearthCompute
import HearthRoofline

/// Matrix product with weights stored as rows: `c[m, n] = sum_k a[m, k] * b[n, k]`, that is `C = A B^T`.
///
/// - Shapes: a `[m, k]`, b `[n, k]`, c `[m, n]`. For `C = A B` with b `[k, n]` pass `b.transposed`.
/// - dtypes: a and c f32; b f32, f16, q4_1 or q8_0, widened to f32 in the load path. Accumulation in f32.
/// - Strides: f32 a and b may have any; c must be contiguous; f16 and quantised b are contiguous.
/// - Aliasing: c overlaps neither a nor b.
/// - Errors: `invalid` when shapes, dtypes or strides do not fit.
/// - Cost: `2 m n k` FLOPs; each operand read once, c written once.
/// - Source: Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008, for the blocking.
public enum GEMM {
    /// Sizes in the literature's letters.
    public struct Problem: Sendable, Hashable {
        public let m, n, k: Int
        public let weights: DType

        package init(m: Int, n: Int, k: Int, weights: DType) {
            (self.m, self.n, self.k, self.weights) = (m, n, k, weights)
        }
    }

    public static func encode(_ a: Tensor, _ b: Tensor, into c: Tensor, _ encoder: inout CommandEncoder)
        throws(DeviceError)
    {
        let problem = try validate(a, b, c)
        if problem.m > 0, problem.n > 0 {
            switch encoder.device.backend {
            case .cpu(let cpu): runCPU(problem, a, b, c, cpu)
            case .vulkan: try encodeVulkan(problem, a, b, c, &encoder)
            }
        }
        encoder.note("gemm.\(problem.weights)", cost(problem))
    }

    private static func validate(_ a: Tensor, _ b: Tensor, _ c: Tensor) throws(DeviceError) -> Problem {
        try require(a.shape.count == 2 && b.shape.count == 2 && c.shape.count == 2, "GEMM", "operands are matrices")
        let (m, k, n) = (a.shape[0], a.shape[1], b.shape[0])
        try require(b.shape[1] == k, "GEMM", "a is [\(m), \(k)] but b is \(b.shape): their k differ")
        try require(c.shape == [m, n], "GEMM", "c is \(c.shape), expected [\(m), \(n)]")
        try require(a.dtype == .f32 && c.dtype == .f32, "GEMM", "a and c are f32, not \(a.dtype) and \(c.dtype)")
        try require(b.dtype != .i32, "GEMM", "b cannot be i32")
        try require(b.dtype == .f32 || b.isContiguous, "GEMM", "\(b.dtype) weights are contiguous")
        try require(
            !b.dtype.isQuantised || k % b.dtype.blockLength == 0, "GEMM", "k = \(k) is not whole \(b.dtype) blocks")
        try require(c.isContiguous, "GEMM", "c is contiguous")
        return Problem(m: m, n: n, k: k, weights: b.dtype)
    }
}
