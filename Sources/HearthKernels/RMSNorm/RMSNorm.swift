import HearthCompute
import HearthRoofline

/// Root-mean-square normalisation: `y[r, i] = x[r, i] / sqrt(mean_i x[r, i]^2 + epsilon) * weight[i]`.
///
/// - Shapes: x and y `[r, n]`, weight `[n]`, all f32 and contiguous; sums in f32.
/// - Aliasing: y may be x, unless something is added to x.
/// - Errors: `invalid` when shapes do not fit.
/// - Cost: `4 n` FLOPs a row; x and weight read once, y written once.
/// - Source: Zhang and Sennrich, arXiv 1910.07467.
public enum RMSNorm {
    public static func encode(
        _ x: Tensor, weight: Tensor, epsilon: Float, into y: Tensor, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let (rows, n) = try check(x, weight, y)
        if rows > 0, n > 0 {
            switch encoder.device.backend {
            case .cpu(let cpu): runCPU(x, addend: nil, weight, epsilon, y, cpu)
            case .vulkan:
                try encoder.dispatch(
                    "rms_norm", reads: [weight, x], writes: [y],
                    push: [UInt32(rows), UInt32(n), epsilon.bitPattern], groups: grid(rows))
            }
        }
        encoder.note("rms_norm", cost(rows: rows, n: n))
    }

    /// A residual step and the normalisation after it in one pass: `x += addend`, then y of the sum. On the CPU the same bits
    /// as `Add` and then the above.
    ///
    /// - Shapes: addend as x. Aliasing: none. Cost: one FLOP, one read and one write an element more.
    public static func encode(
        adding addend: Tensor, to x: Tensor, weight: Tensor, epsilon: Float, into y: Tensor,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let (rows, n) = try check(x, weight, y)
        try require(
            addend.shape == x.shape && addend.dtype == .f32 && addend.isContiguous, "RMSNorm",
            "the addend is \(addend.dtype) \(addend.shape), expected plain f32 \(x.shape)")
        if rows > 0, n > 0 {
            switch encoder.device.backend {
            case .cpu(let cpu): runCPU(x, addend: addend, weight, epsilon, y, cpu)
            case .vulkan:
                try encoder.dispatch(
                    "rms_norm_add", reads: [weight, addend], writes: [x, y],
                    push: [UInt32(rows), UInt32(n), epsilon.bitPattern], groups: grid(rows))
            }
        }
        encoder.note("rms_norm_add", cost(rows: rows, n: n, adds: true))
    }

    private static func check(_ x: Tensor, _ weight: Tensor, _ y: Tensor) throws(DeviceError) -> (rows: Int, n: Int) {
        try require(x.shape.count == 2 && y.shape == x.shape, "RMSNorm", "x is \(x.shape), y is \(y.shape)")
        let n = x.shape[1]
        try require(weight.shape == [n], "RMSNorm", "weight is \(weight.shape), expected [\(n)]")
        try require(
            [x, weight, y].allSatisfy { $0.dtype == .f32 && $0.isContiguous }, "RMSNorm", "tensors are plain f32")
        return (x.shape[0], n)
    }
}
