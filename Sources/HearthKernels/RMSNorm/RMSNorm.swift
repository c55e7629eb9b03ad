import HearthCompute
import HearthRoofline

/// Root-mean-square normalisation: `y[r, i] = x[r, i] / sqrt(mean_i x[r, i]^2 + epsilon) * weight[i]`.
///
/// - Shapes: x and y `[r, n]`, weight `[n]`, all f32 and contiguous; sums in f32.
/// - Aliasing: y may be x.
/// - Errors: `invalid` when shapes do not fit.
/// - Cost: `4 n` FLOPs a row; x and weight read once, y written once.
/// - Source: Zhang and Sennrich, arXiv 1910.07467.
public enum RMSNorm {
    public static func encode(
        _ x: Tensor, weight: Tensor, epsilon: Float, into y: Tensor, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        try require(x.shape.count == 2 && y.shape == x.shape, "RMSNorm", "x is \(x.shape), y is \(y.shape)")
        let (rows, n) = (x.shape[0], x.shape[1])
        try require(weight.shape == [n], "RMSNorm", "weight is \(weight.shape), expected [\(n)]")
        try require(
            [x, weight, y].allSatisfy { $0.dtype == .f32 && $0.isContiguous }, "RMSNorm", "tensors are plain f32")
        if rows > 0, n > 0 {
            switch encoder.device.backend {
            case .cpu(let cpu): runCPU(x, weight, epsilon, y, cpu)
            case .vulkan:
                try encoder.dispatch(
                    "rms_norm", reads: [x, weight], writes: [y],
                    push: [UInt32(rows), UInt32(n), epsilon.bitPattern], groups: grid(rows))
            }
        }
        encoder.note("rms_norm", cost(rows: rows, n: n))
    }
}
