import HearthCompute
import HearthKernels

/// A case with its operands on a device, ready to be launched any number of times.
struct PreparedKernel {
    let kernel: String
    let shape: String
    /// The way the CPU takes where it has several.
    let path: String?
    let encode: (inout CommandEncoder) throws -> Void

    private init(
        _ kernel: String, _ shape: String, path: String? = nil,
        _ encode: @escaping (inout CommandEncoder) throws -> Void
    ) {
        (self.kernel, self.shape, self.path, self.encode) = (kernel, shape, path, encode)
    }

    init(_ one: BenchCase, on device: Device) throws {
        let shape = one.shape
        switch one.workload {
        case "gemm": self = try Self.product(shape[0], shape[1], shape[2], one, device)
        case "gemv": self = try Self.linear(1, shape[0], shape[1], one, device)
        case "attention": self = try Self.attention(shape, one, device)
        case "norm": self = try Self.norm(rows: shape[0], n: shape[1], one, device)
        default: self = try Self.memory(mebibytes: shape[0], one, device)
        }
    }

    /// f32 with weights stored by rows, the way `GEMMChoice` says; other types as `linear`.
    private static func product(_ m: Int, _ n: Int, _ k: Int, _ one: BenchCase, _ device: Device) throws -> Self {
        if one.dtype != .f32 { return try linear(m, n, k, one, device) }
        let a = try device.makeTensor(repeating: 0.5, [m, k])
        let b = try device.makeTensor(repeating: 0.25, [n, k])
        let c = try device.makeTensor(.f32, [m, n])
        return Self("gemm.f32", "\(m)x\(n)x\(k)", path: GEMM.explain(a, b)?.path.rawValue) {
            try GEMM.encode(a, b, into: c, &$0)
        }
    }

    /// Weights as a model holds them: packed where the device packs. f16, bf16 and i8 meet activations of
    /// their own type, but for one row on Vulkan.
    private static func linear(_ m: Int, _ n: Int, _ k: Int, _ one: BenchCase, _ device: Device) throws -> Self {
        let dtype = one.dtype
        let isCPU = device.description.kind == .cpu
        if dtype.isQuantised, k % dtype.blockLength != 0 {
            throw DeviceError(.invalid, "\(m)x\(n)x\(k): k is not whole \(dtype) blocks of \(dtype.blockLength)")
        }
        let isHalf = dtype == .f16 || dtype == .bf16
        let activations = dtype == .i8 || isHalf && (isCPU || m > 1) ? dtype : .f32
        let a = try device.makeTensor(activations, [m, k])
        try a.fill(0x1111_1111)
        let b = try device.makeTensor(dtype, [n, k])
        try b.fill(0x1111_1111)
        let weights = try PackedWeights(b, activations: isCPU ? .int8 : .f16)
        let c = try device.makeTensor(activations == .i8 ? .i32 : activations, [m, n])
        return Self(one.kernel, "\(m)x\(n)x\(k)", path: isCPU ? "packed" : nil) {
            try GEMM.encode(a, weights, into: c, &$0)
        }
    }

    private static func memory(mebibytes: Int, _ one: BenchCase, _ device: Device) throws -> Self {
        let count = mebibytes << 18
        let tensors = try (0..<3).map { _ in try device.makeTensor(repeating: 1, [count]) }
        return Self(one.kernel, "\(mebibytes) MiB") {
            try Probe.encode(one.stream, tensors[0], tensors[1], into: tensors[2], &$0)
        }
    }

    /// Causal, query heads sharing KV heads.
    private static func attention(_ shape: [Int], _ one: BenchCase, _ device: Device) throws -> Self {
        let (tq, tk, heads, kvHeads, d) = (shape[0], shape[1], shape[2], shape[3], shape[4])
        func tensor(_ shape: [Int]) throws -> Tensor {
            let tensor = try device.makeTensor(one.dtype, shape)
            try tensor.fill(0x1111_1111)
            return tensor
        }
        let (q, k, v) = (
            try tensor([1, tq, heads, d]), try tensor([1, tk, kvHeads, d]), try tensor([1, tk, kvHeads, d])
        )
        let o = try device.makeTensor(.f32, q.shape)
        return Self(one.kernel, "Tq=\(tq) Tk=\(tk) H=\(heads)/\(kvHeads) D=\(d)") {
            try Attention.encode(q: q, k: k, v: v, isCausal: true, into: o, &$0)
        }
    }

    private static func norm(rows: Int, n: Int, _ one: BenchCase, _ device: Device) throws -> Self {
        let x = try device.makeTensor(repeating: 0.5, [rows, n])
        let weight = try device.makeTensor(repeating: 1, [n])
        let y = try device.makeTensor(.f32, [rows, n])
        return Self(one.kernel, "\(rows)x\(n)") {
            try RMSNorm.encode(x, weight: weight, epsilon: 1e-5, into: y, &$0)
        }
    }
}
