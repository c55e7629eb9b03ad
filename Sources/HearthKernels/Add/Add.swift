import HearthCompute
import HearthRoofline

/// Elementwise sum: `y[i] = a[i] + b[i]`.
///
/// - Shapes: three contiguous f32 tensors of one shape. Aliasing: y may be a or b. Errors: `invalid`.
/// - Cost: 1 FLOP an element; both inputs read once.
public enum Add {
    public static func encode(_ a: Tensor, _ b: Tensor, into y: Tensor, _ encoder: inout CommandEncoder)
        throws(DeviceError)
    {
        try require(a.shape == b.shape && y.shape == a.shape, "Add", "\(a.shape), \(b.shape), \(y.shape)")
        try require([a, b, y].allSatisfy { $0.dtype == .f32 && $0.isContiguous }, "Add", "tensors are plain f32")
        let n = y.elementCount
        if n > 0 {
            switch encoder.device.backend {
            case .cpu(let cpu): runCPU(a, b, y, cpu)
            case .vulkan:
                try encoder.dispatch(
                    "add", reads: [a, b], writes: [y], push: [UInt32(n)],
                    groups: grid((n + 63) / 64))
            }
        }
        encoder.note("add", cost(n))
    }
}
