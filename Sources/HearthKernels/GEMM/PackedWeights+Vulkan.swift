import HearthCompute
import HearthRoofline

extension GEMM {
    /// Weights as they are stored: f32 a and c; a, weights and c all f16, or all bf16, with sums in f32 unless told; or i8 into i32.
    static func encodeVulkan(
        _ a: Tensor, _ b: Tensor, _ options: Options, mayRound: Bool, into c: Tensor, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let halves: Set<DType> = [.f16, .bf16]
        let isBytes = a.dtype == .i8 && b.dtype == .i8 && c.dtype == .i32
        let isFloat = a.dtype == .f32 && b.dtype.isReal
        try require(
            isBytes || a.dtype == c.dtype && (isFloat || halves.contains(a.dtype) && b.dtype == a.dtype), "GEMM",
            "\(encoder.device.selector) has no \(a.dtype) by \(b.dtype) weights into \(c.dtype)")
        try require(a.shape.count == 2 && b.shape.count == 2, "GEMM", "operands are matrices")
        let (m, n, k) = (a.shape[0], b.shape[0], b.shape[1])
        try require(a.shape[1] == k && c.shape == [m, n], "GEMM", "a \(a.shape), weights \(b.shape), c \(c.shape)")
        try require(
            c.isContiguous && b.isContiguous && (!isBytes || a.isContiguous), "GEMM",
            "weights and c, and a of bytes, are contiguous")
        try require(!isBytes || options.isPlain, "GEMM", "i8 weights take no options")
        var problem = Problem(m: m, n: n, k: k, weights: b.dtype, activations: a.dtype, outputs: c.dtype)
        (problem.mayRound, problem.mayAccumulateInF16) = (mayRound, options.mayAccumulateInF16)
        try options.validate(problem, c)
        var arithmetic = Arithmetic.f32
        if m > 0, n > 0 {
            arithmetic = try encodeVulkan(problem, VulkanOperands(a: a, b: b, c: c), options, &encoder)
        }
        encoder.note(name(b.dtype), cost(problem), isBytes ? .int8 : arithmetic)
    }
}
