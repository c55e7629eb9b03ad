import HearthCompute
import HearthRoofline

/// Gated activation: `y[i] = silu(gate[i]) * up[i]`, `silu(g) = g / (1 + e^-g)`; with another activation, GEGLU or ReGLU.
///
/// - Shapes: three contiguous f32 tensors of one shape. Aliasing: y may be gate or up. Errors: `invalid`.
/// - Cost: 5 FLOPs an element (the exponential counts as one); both inputs read once.
/// - Source: Shazeer, arXiv 2002.05202.
public enum SwiGLU {
    public static func encode(
        gate: Tensor, up: Tensor, activation: GEMM.Activation = .silu, into y: Tensor, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        try require(gate.shape == up.shape && y.shape == gate.shape, "SwiGLU", "\(gate.shape), \(up.shape), \(y.shape)")
        try require(
            [gate, up, y].allSatisfy { $0.dtype == .f32 && $0.isContiguous }, "SwiGLU", "tensors are plain f32")
        let n = y.elementCount
        if n > 0 {
            switch encoder.device.backend {
            case .cpu(let cpu): runCPU(gate, up, activation, y, cpu)
            case .vulkan:
                try encoder.dispatch(
                    "swiglu", reads: [gate, up], writes: [y], push: [UInt32(n), activation.code.rawValue],
                    groups: grid((n + 63) / 64))
            }
        }
        encoder.note("swiglu", cost(n))
    }
}
