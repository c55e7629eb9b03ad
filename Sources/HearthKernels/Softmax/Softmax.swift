import HearthCompute
import HearthRoofline

/// Softmax of each row, or its logarithm: `y[r, i] = exp(x[r, i] - max_r) / sum_j exp(x[r, j] - max_r)`.
///
/// - Shapes: x and y `[r, n]`, f32, contiguous; sums in f32.
/// - Aliasing: y may be x.
/// - Errors: `invalid` when shapes do not fit.
/// - Cost: 12 FLOPs an element, ten of them the exponential's; x read once, y written once.
public enum Softmax {
    public static func encode(_ x: Tensor, isLog: Bool = false, into y: Tensor, _ encoder: inout CommandEncoder)
        throws(DeviceError)
    {
        try require(x.shape.count == 2 && y.shape == x.shape, "Softmax", "x is \(x.shape), y is \(y.shape)")
        try require([x, y].allSatisfy { $0.dtype == .f32 && $0.isContiguous }, "Softmax", "tensors are plain f32")
        if x.elementCount > 0 {
            switch encoder.device.backend {
            case .cpu(let cpu): runCPU(x, isLog, y, cpu)
            case .vulkan: try encodeVulkan(x, isLog, y, &encoder)
            }
        }
        encoder.note(isLog ? "log_softmax" : "softmax", cost(rows: x.shape[0], n: x.shape[1]))
    }

    static func encodeVulkan(_ x: Tensor, _ isLog: Bool, _ y: Tensor, _ encoder: inout CommandEncoder)
        throws(DeviceError)
    {
        try encoder.dispatch(
            "softmax", reads: [x], writes: [y], push: [UInt32(x.shape[0]), UInt32(x.shape[1]), isLog ? 1 : 0],
            groups: grid(x.shape[0]))
    }
}
