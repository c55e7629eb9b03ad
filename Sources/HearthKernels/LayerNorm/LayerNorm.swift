import HearthCompute
import HearthRoofline

/// Layer normalisation: `y[r, i] = (x[r, i] - mean_r) / sqrt(variance_r + epsilon) * weight[i] + bias[i]`.
///
/// - Shapes: x and y `[r, n]`, weight and bias `[n]`, statistics `[r, 2]` (mean, inverse deviation), all f32 and contiguous;
///   sums in f32, the variance from the differences.
/// - Aliasing: y may be x.
/// - Errors: `invalid` when shapes do not fit.
/// - Cost: `7 n` FLOPs a row; x, weight and bias read once, y written once.
/// - Source: Ba et al., arXiv 1607.06450.
public enum LayerNorm {
    public static func encode(
        _ x: Tensor, weight: Tensor, bias: Tensor?, epsilon: Float, into y: Tensor, statistics: Tensor,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        try require(x.shape.count == 2 && y.shape == x.shape, "LayerNorm", "x is \(x.shape), y is \(y.shape)")
        let (rows, n) = (x.shape[0], x.shape[1])
        try require(
            weight.shape == [n] && (bias?.shape ?? [n]) == [n], "LayerNorm", "weight and bias are not [\(n)]")
        try require(statistics.shape == [rows, 2], "LayerNorm", "statistics are \(statistics.shape)")
        try require(
            ([x, weight, y, statistics] + [bias].compactMap { $0 }).allSatisfy { $0.dtype == .f32 && $0.isContiguous },
            "LayerNorm", "tensors are plain f32")
        if rows > 0, n > 0 {
            switch encoder.device.backend {
            case .cpu(let cpu): runCPU(x, weight, bias, epsilon, y, statistics, cpu)
            case .vulkan:
                try encoder.dispatch(
                    "layer_norm", reads: [x, weight, bias ?? weight], writes: [y, statistics],
                    push: [UInt32(rows), UInt32(n), epsilon.bitPattern, bias == nil ? 0 : 1], groups: grid(rows))
            }
        }
        encoder.note("layer_norm", cost(rows: rows, n: n))
    }
}
