import HearthCompute

extension SwiGLU {
    /// The gated half of a feed-forward block: `y = activation(x G^T) * (x U^T)`, each product with its bias if it has one.
    ///
    /// - Shapes: x `[m, k]`, gate and up `[n, k]`, y and scratch `[m, n]`. Aliasing: y and scratch overlap nothing.
    /// - dtypes: x, y and scratch contiguous f32; weights any that a product with f32 takes. Errors: `invalid`.
    /// - Vulkan: of one row by weights of one type without biases one kernel, which leaves `scratch` alone.
    /// - Cost: both products, 5 FLOPs an element; the weights read once.
    public static func encode(
        _ x: Tensor, gate: PackedWeights, up: PackedWeights, biases: (gate: Tensor?, up: Tensor?) = (nil, nil),
        activation: GEMM.Activation = .silu, scratch: Tensor, into y: Tensor, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        try require(
            gate.n == up.n && gate.k == up.k, "SwiGLU", "gate is [\(gate.n), \(gate.k)], up [\(up.n), \(up.k)]")
        try require(x.shape.count == 2 && x.shape[1] == gate.k, "SwiGLU", "x is \(x.shape), weights have k \(gate.k)")
        let (m, n) = (x.shape[0], gate.n)
        try require(
            y.shape == [m, n] && scratch.shape == [m, n], "SwiGLU",
            "y is \(y.shape), scratch \(scratch.shape), expected [\(m), \(n)]")
        try require(
            [x, y, scratch].allSatisfy { $0.dtype == .f32 && $0.isContiguous }, "SwiGLU", "tensors are plain f32")
        if m == 1, n > 0, biases.gate == nil, biases.up == nil, case .vulkan = encoder.device.backend,
            case .tensor(let g, _) = gate.storage,
            case .tensor(let u, _) = up.storage, g.dtype == u.dtype, g.dtype.isReal
        {
            let problem = GEMM.Problem(m: 1, n: n, k: gate.k, weights: g.dtype)
            let operands = GEMM.VulkanOperands(a: x, b: g, c: y, up: u)
            try GEMM.encodeVulkan(problem, operands, GEMM.Options(activation: activation), &encoder)
            return encoder.note(GEMM.name(g.dtype), cost(problem))
        }
        try GEMM.encode(x, gate, GEMM.Options(bias: biases.gate), into: scratch, &encoder)
        try GEMM.encode(x, up, GEMM.Options(bias: biases.up), into: y, &encoder)
        try encode(gate: scratch, up: y, activation: activation, into: y, &encoder)
    }
}
