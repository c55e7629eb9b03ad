import HearthCompute

extension SwiGLU {
    /// The gated half of a feed-forward block: `y = activation(x G^T) * (x U^T)`.
    ///
    /// - Shapes: x `[m, k]`, gate and up `[n, k]`, y and scratch `[m, n]`, f32. Aliasing: y and scratch overlap nothing. Errors: `invalid`.
    /// - Vulkan: of one row by weights of one type one kernel, which leaves `scratch` alone.
    /// - Cost: both products, 5 FLOPs an element; the weights read once.
    public static func encode(
        _ x: Tensor, gate: PackedWeights, up: PackedWeights, activation: GEMM.Activation = .silu,
        scratch: Tensor, into y: Tensor, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        if try GEMM.encodeGated(x, gate: gate, up: up, activation: activation, into: y, &encoder) { return }
        try GEMM.encode(x, gate, into: scratch, &encoder)
        try GEMM.encode(x, up, into: y, &encoder)
        try encode(gate: scratch, up: y, activation: activation, into: y, &encoder)
    }
}
