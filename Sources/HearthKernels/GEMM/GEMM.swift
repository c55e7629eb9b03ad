import CKernels
import HearthCompute
import HearthRoofline

/// Matrix product with weights stored as rows: `c[m, n] = sum_k a[m, k] * b[n, k]`, that is `C = A B^T`.
///
/// - Shapes: a `[m, k]`, b `[n, k]`, c `[m, n]`. For `C = A B` with b `[k, n]` pass `b.transposed`.
/// - dtypes: a and c f32; b f32, f16, bf16 or quantised, widened to f32 in the load path. Accumulation in f32.
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
        /// Element types of a and c.
        public let activations, outputs: DType
        /// Whether f32 activations may be rounded to f16, for matrix units.
        var mayRound = false
        /// Whether sums of f16 products may be kept in f16.
        var mayAccumulateInF16 = false

        package init(m: Int, n: Int, k: Int, weights: DType, activations: DType = .f32, outputs: DType = .f32) {
            (self.m, self.n, self.k, self.weights) = (m, n, k, weights)
            (self.activations, self.outputs) = (activations, outputs)
        }
    }

    public static func encode(_ a: Tensor, _ b: Tensor, into c: Tensor, _ encoder: inout CommandEncoder)
        throws(DeviceError)
    {
        let problem = try validate(a, b, c)
        if problem.m > 0, problem.n > 0 {
            switch encoder.device.backend {
            case .cpu(let cpu): runCPU(problem, a, b, c, cpu)
            case .vulkan: try encodeVulkan(problem, VulkanOperands(a: a, b: b, c: c), Options(), &encoder)
            }
        }
        encoder.note(name(problem.weights), cost(problem))
    }

    /// As `encode`, with `options`; on the CPU weights other than f32 take bias and activation only.
    public static func encode(
        _ a: Tensor, _ b: Tensor, _ options: Options, into c: Tensor, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        if options.isPlain { return try encode(a, b, into: c, &encoder) }
        let problem = try validate(a, b, c)
        try options.validate(problem, c)
        guard case .cpu(let cpu) = encoder.device.backend else {
            if problem.m > 0, problem.n > 0 {
                try encodeVulkan(problem, VulkanOperands(a: a, b: b, c: c), options, &encoder)
            }
            return encoder.note(name(problem.weights), cost(problem))
        }
        if b.dtype != .f32 {
            try require(
                options.alpha == 1 && options.beta == 0, "GEMM", "\(b.dtype) weights take no alpha or beta")
            if problem.m > 0, problem.n > 0 {
                runCPU(problem, a, b, c, cpu)
                let out = Out(c, options)
                var epilogue = out.epilogue
                ck_epilogue(
                    &epilogue, Int64(problem.m), Int64(problem.n), c.hostPointer(as: Float.self), Int64(out.row))
            }
            return encoder.note(name(problem.weights), cost(problem))
        }
        if problem.m > 0, problem.n > 0 {
            var left = Left(a)
            left.scale = options.alpha
            // Nothing of A and B is read where alpha is 0.
            let k = options.alpha == 0 ? 0 : problem.k
            let right = Right(weights: b, isPacked: GEMMChoice.choose(problem, a, b, cpu).path.isPacked)
            multiply(m: problem.m, n: problem.n, k: k, left, right, Out(c, options), cpu)
        }
        encoder.note(name(.f32), cost(problem))
    }

    /// As `encode`, by a way of the caller's choice: what the choice is measured with. f32 on the CPU only.
    package static func encode(
        _ a: Tensor, _ b: Tensor, into c: Tensor, path: GEMMChoice.Path, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let problem = try validate(a, b, c)
        guard case .cpu(let cpu) = encoder.device.backend, b.dtype == .f32 else {
            throw DeviceError(.invalid, "GEMM: only f32 products on the CPU have a choice of path")
        }
        if path == .openBLAS, let text = openBLASProblem(a, b) {
            throw DeviceError(.invalid, "GEMM: OpenBLAS: \(text)")
        }
        runCPU(problem, a, b, c, forced: path, cpu)
        encoder.note(name(.f32), cost(problem))
    }

    /// Which way the CPU takes for this product, and why.
    package static func explain(_ a: Tensor, _ b: Tensor) -> (path: GEMMChoice.Path, reason: String)? {
        guard case .cpu(let cpu) = a.buffer.device.backend, b.dtype == .f32 else { return nil }
        let problem = Problem(m: a.shape[0], n: b.shape[0], k: b.shape[1], weights: .f32)
        let choice = GEMMChoice.choose(problem, a, b, cpu)
        return (choice.path, choice.reason)
    }

    static func validate(_ a: Tensor, _ b: Tensor, _ c: Tensor) throws(DeviceError) -> Problem {
        try require(a.shape.count == 2 && b.shape.count == 2 && c.shape.count == 2, "GEMM", "operands are matrices")
        let (m, k, n) = (a.shape[0], a.shape[1], b.shape[0])
        try require(b.shape[1] == k, "GEMM", "a is [\(m), \(k)] but b is \(b.shape): their k differ")
        try require(c.shape[0] == m && c.shape[1] == n, "GEMM", "c is \(c.shape), expected [\(m), \(n)]")
        try require(a.dtype == .f32 && c.dtype == .f32, "GEMM", "a and c are f32, not \(a.dtype) and \(c.dtype)")
        try require(b.dtype.isReal, "GEMM", "b cannot be \(b.dtype)")
        try require(b.dtype == .f32 || b.isContiguous, "GEMM", "\(b.dtype) weights are contiguous")
        try require(
            !b.dtype.isQuantised || k % b.dtype.blockLength == 0, "GEMM", "k = \(k) is not whole \(b.dtype) blocks")
        try require(c.isContiguous, "GEMM", "c is contiguous")
        return Problem(m: m, n: n, k: k, weights: b.dtype)
    }
}
