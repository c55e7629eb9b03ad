import HearthCompute

/// Weights `[n, k]` of a linear layer, laid out once for the kernel that will use them.
///
/// - CPU: f32, f16 and bf16 become panels that the blocked product reads in place; quantised formats become panels for int8
///   dot products, or stay as they are under `.f32`. Elsewhere the tensor is kept.
/// - On the CPU results do not depend on the number of rows multiplied at once, nor on threads.
public struct PackedWeights: Sendable {
    /// How activations meet quantised weights.
    public enum Activations: String, Sendable, CaseIterable {
        /// Rounded to int8 in blocks of 32, as llama.cpp does: exact integer sums, several times faster. On the CPU; elsewhere f32.
        case int8
        /// Rounded to f16 for a GPU's matrix units, by quantised or f16 weights; beyond 65504 they become infinite. Elsewhere f32.
        case f16
        /// Kept in f32; weights are widened.
        case f32
    }

    enum Storage: Sendable {
        case tensor(Tensor, mayRound: Bool)
        /// Panels of plain elements.
        case panels(DeviceBuffer)
        /// Panels of int8.
        case bytes(DeviceBuffer)
        /// Panels of quants and scales.
        case quantised(DeviceBuffer)
    }

    public let n, k: Int
    public let dtype: DType
    let storage: Storage

    /// Whether products read the tensor that was packed.
    public var keepsSource: Bool { if case .tensor = storage { true } else { false } }

    /// - Parameter weights: `[n, k]`, contiguous; not needed afterwards on the CPU unless it is kept.
    /// - Throws: `invalid` when the tensor is no such matrix or its rows are not whole blocks, `outOfMemory`.
    public init(_ weights: Tensor, activations: Activations = .int8) throws(DeviceError) {
        try require(
            weights.shape.count == 2 && weights.isContiguous && weights.dtype != .i32, "GEMM",
            "weights are a contiguous matrix, not \(weights.dtype) \(weights.shape)")
        (n, k, dtype) = (weights.shape[0], weights.shape[1], weights.dtype)
        try require(k % dtype.blockLength == 0, "GEMM", "k = \(k) is not whole \(dtype) blocks")
        switch weights.buffer.device.backend {
        case .cpu(let cpu): storage = try Self.pack(weights, activations, cpu)
        case .vulkan:
            storage = .tensor(weights, mayRound: activations == .f16 && (dtype.isQuantised || dtype == .f16))
        }
    }
}

extension GEMM {
    /// `c[m, n] = sum_k a[m, k] * w[n, k]` with packed weights; otherwise as `encode(_:_:into:_:)`.
    ///
    /// - Options: all for plain weights (alpha with f32 a, beta with f32 c); bias and activation for quantised; none for i8.
    /// - dtypes: a and c f32, f16 or bf16 for plain weights (f32 accumulation); a i8 and c i32 for i8 weights (exact); a and
    ///   c f32 for quantised weights. On Vulkan a and c f32; all three f16, or bf16; or i8 into i32.
    public static func encode(
        _ a: Tensor, _ weights: PackedWeights, _ options: Options = Options(), into c: Tensor,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        if case .tensor(let b, let mayRound) = weights.storage {
            if case .cpu = encoder.device.backend { return try encode(a, b, options, into: c, &encoder) }
            return try encodeVulkan(a, b, options, mayRound: mayRound, into: c, &encoder)
        }
        guard case .cpu(let cpu) = encoder.device.backend else {
            throw DeviceError(.invalid, "GEMM: weights packed for the CPU on \(encoder.device.selector)")
        }
        let (n, k) = (weights.n, weights.k)
        try require(a.shape.count == 2 && a.shape[1] == k, "GEMM", "a is \(a.shape), weights are [\(n), \(k)]")
        try require(c.shape == [a.shape[0], n], "GEMM", "c is \(c.shape), expected [\(a.shape[0]), \(n)]")
        let plain: Set<DType> = [.f32, .f16, .bf16]
        let fits =
            switch weights.storage {
            case .panels: plain.contains(a.dtype) && plain.contains(c.dtype)
            case .bytes: a.dtype == .i8 && c.dtype == .i32
            default: a.dtype == .f32 && c.dtype == .f32
            }
        try require(fits, "GEMM", "\(weights.dtype) weights take no \(a.dtype) a into \(c.dtype) c")
        try require(
            c.isContiguous && (a.strides[1] == 1 || k == 1), "GEMM", "rows of a and c are contiguous")
        let problem = Problem(
            m: a.shape[0], n: n, k: k, weights: weights.dtype, activations: a.dtype, outputs: c.dtype)
        try options.validate(problem, c)
        switch weights.storage {
        case .bytes: try require(options.isPlain, "GEMM", "i8 weights take no options")
        case .quantised:
            try require(
                options.alpha == 1 && options.beta == 0, "GEMM", "\(weights.dtype) weights take no alpha or beta")
        default:
            try require(
                options.alpha == 1 || a.dtype == .f32, "GEMM", "\(a.dtype) activations take no alpha")
        }
        if problem.m > 0, n > 0 { runPacked(problem, a, weights.storage, c, options, cpu) }
        encoder.note(name(weights.dtype), cost(problem), arithmetic(problem))
    }
}
