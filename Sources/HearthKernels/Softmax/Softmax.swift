import HearthCompute
import HearthRoofline

/// Softmax of each row, or its logarithm: `y[r, i] = exp(x[r, i] - max_r) / sum_j exp(x[r, j] - max_r)`.
///
/// - Shapes: x and y `[r, n]`, f32, contiguous; sums in f32. CPU.
/// - Aliasing: y may be x.
/// - Errors: `invalid` when shapes do not fit or the device is no CPU.
/// - Cost: 12 FLOPs an element, ten of them the exponential's; x read once, y written once.
public enum Softmax {
    public static func encode(_ x: Tensor, isLog: Bool = false, into y: Tensor, _ encoder: inout CommandEncoder)
        throws(DeviceError)
    {
        try require(x.shape.count == 2 && y.shape == x.shape, "Softmax", "x is \(x.shape), y is \(y.shape)")
        try require([x, y].allSatisfy { $0.dtype == .f32 && $0.isContiguous }, "Softmax", "tensors are plain f32")
        let cpu = try requireCPU("Softmax", encoder.device)
        if x.elementCount > 0 { runCPU(x, isLog, y, cpu) }
        encoder.note(isLog ? "log_softmax" : "softmax", cost(rows: x.shape[0], n: x.shape[1]))
    }
}
