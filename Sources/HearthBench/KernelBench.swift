import HearthCompute
import HearthKernels
import HearthRoofline

/// Times kernels of language-model shapes on one device beside its ceilings.
public struct KernelBench {
    public struct Result: Sendable, Codable {
        public let kernel: String
        public let shape: String
        public let device: String
        /// The way the CPU took where it has several.
        public let path: String?
        /// Of the CPU device; nil elsewhere.
        public let threads: Int?
        /// `warm` or `cold`: whether operands were in the caches.
        public let cache: String?
        /// MiB by which the first call lifted the resident set: results and scratch memory. CPU only.
        public let peakMebibytes: Double?
        public let seconds: MeasuredValue
        public let cost: Cost
        public let achieved: Achievement
        public let predictedSeconds: Double
    }

    private let device: Device
    private let ceilings: Ceilings
    private let minimumSeconds: Double

    public init(_ device: Device, ceilings: Ceilings, minimumSeconds: Double = 1) {
        self.device = device
        self.ceilings = ceilings
        self.minimumSeconds = minimumSeconds
    }

    public static let workloads = ["gemm", "gemv", "attention", "quant", "norm", "memory"]

    /// Names the first of `chosen` that is no workload; nil when all are.
    public static func problem(in chosen: [String]) -> String? {
        chosen.first { !workloads.contains($0) }
            .map { "no workload '\($0)'; there are \(workloads.joined(separator: ", "))" }
    }

    /// Runs every case of `workloads`, reporting each as it ends.
    public func run(
        _ workloads: [String], _ selection: BenchSelection = .init(), onResult: (Result) -> Void
    ) throws {
        for workload in workloads {
            let shapes = selection.shapes ?? defaultShapes(workload)
            let dtypes = selection.dtypes ?? defaultTypes(workload)
            if let wrong = dtypes.first(where: { !Self.types(of: workload).contains($0) }) {
                let known = Self.types(of: workload).map(\.rawValue).joined(separator: ", ")
                throw DeviceError(.invalid, "\(workload) runs in \(known), not in \(wrong)")
            }
            for shape in shapes {
                switch workload {
                case "gemm", "quant":
                    for dtype in dtypes { onResult(try product(shape[0], shape[1], shape[2], dtype, selection)) }
                case "gemv": for dtype in dtypes { onResult(try linear(1, shape[0], shape[1], dtype, selection)) }
                case "attention": for dtype in dtypes { onResult(try attention(shape, dtype, selection)) }
                case "norm": onResult(try norm(rows: shape[0], n: shape[1], selection))
                case "memory":
                    for stream in [Probe.Stream.copy, .read, .triad] {
                        onResult(try memory(stream, mebibytes: shape[0], selection))
                    }
                default: preconditionFailure("checked against KernelBench.workloads")
                }
            }
        }
    }

    private var isSoftware: Bool { device.description.kind == .software }

    private func defaultShapes(_ workload: String) -> [[Int]] {
        switch workload {
        case "gemm": [[128, 128, 128], [256, 256, 256], [512, 512, 512]] + (isSoftware ? [] : [[1024, 1024, 1024]])
        case "gemv": [[5632, 2048]]
        case "quant": [[64, 1536, 768]] + (isSoftware ? [] : [[512, 2048, 2048]])
        case "attention":
            [[128, 128, 9, 3, 64]] + (isSoftware ? [] : [[1024, 1024, 9, 3, 64]]) + [[1, 2048, 9, 3, 64]]
        case "norm": [[512, 2048]]
        default: [[64]]
        }
    }

    private func defaultTypes(_ workload: String) -> [DType] {
        switch workload {
        case "gemv": [.f32, .f16, .bf16, .q8_0, .q4_1, .q4_0, .q4_k]
        case "quant": [.q8_0, .q4_1, .q4_0, .q4_k]
        default: [.f32]
        }
    }

    /// Element types that a workload has kernels for.
    static func types(of workload: String) -> [DType] {
        switch workload {
        case "gemm", "gemv", "quant": DType.allCases.filter { $0 != .i32 }
        case "attention": [.f32, .f16, .bf16]
        default: [.f32]
        }
    }

    private func time(
        _ kernel: String, _ shape: String, path: String? = nil, _ selection: BenchSelection,
        _ encode: (inout CommandEncoder) throws -> Void
    ) throws -> Result {
        let isCPU = device.description.kind == .cpu
        var kernels: [KernelCost] = []
        func seconds(_ count: Int) throws -> Double {
            var encoder = try device.makeEncoder()
            for _ in 0..<count { try encode(&encoder) }
            let submission = try encoder.submit()
            kernels = submission.kernels
            return try submission.wait().seconds / Double(count)
        }
        // The first call is where scratch memory is taken.
        var peak: Double?
        if isCPU {
            peak = try? ProcessMemory.peakGrowth { _ = try seconds(1) }
        }
        let one = try seconds(1)
        // Calls shorter than the clock likes come in groups; cold ones never, since the second would be warm.
        let group = isCPU && !selection.isCold ? max(1, min(1000, Int(2e-4 / max(one, 1e-7)))) : 1
        let evictor = selection.isCold ? CacheEvictor() : nil
        var samples: [Double] = []
        let start = ContinuousClock.now
        while samples.count < 5 || (ContinuousClock.now - start).seconds < minimumSeconds {
            evictor?.evict()
            samples.append(try seconds(group))
        }
        let measured = MeasuredValue(samples: samples)!
        let launches = Array(kernels.prefix(kernels.count / group))
        let cost = launches.reduce(Cost.zero) { $0 + $1.cost }
        return Result(
            kernel: kernel, shape: shape, device: device.selector, path: path, threads: device.cpuThreadCount,
            cache: selection.isCold ? "cold" : "warm", peakMebibytes: peak.map { ($0 * 10).rounded() / 10 },
            seconds: measured, cost: cost,
            achieved: Achievement(kernels: launches, seconds: measured.median, ceilings: ceilings),
            predictedSeconds: launches.reduce(0) { $0 + ceilings.seconds(for: $1.cost, arithmetic: $1.arithmetic) })
    }

    /// f32 with weights stored by rows, the way `GEMMChoice` says; other types as `linear`.
    private func product(_ m: Int, _ n: Int, _ k: Int, _ dtype: DType, _ selection: BenchSelection) throws -> Result {
        if dtype != .f32 { return try linear(m, n, k, dtype, selection) }
        let a = try device.makeTensor([Float](repeating: 0.5, count: m * k), [m, k])
        let b = try device.makeTensor([Float](repeating: 0.25, count: n * k), [n, k])
        let c = try device.makeTensor(.f32, [m, n])
        return try time("gemm.f32", "\(m)x\(n)x\(k)", path: GEMM.explain(a, b)?.path.rawValue, selection) {
            try GEMM.encode(a, b, into: c, &$0)
        }
    }

    /// Weights as a model holds them: packed where the device packs. f16, bf16 and i8 meet activations of
    /// their own type, but for one row on Vulkan.
    private func linear(_ m: Int, _ n: Int, _ k: Int, _ dtype: DType, _ selection: BenchSelection) throws -> Result {
        let isCPU = device.description.kind == .cpu
        if dtype.isQuantised, k % dtype.blockLength != 0 {
            throw DeviceError(.invalid, "\(m)x\(n)x\(k): k is not whole \(dtype) blocks of \(dtype.blockLength)")
        }
        let isHalf = dtype == .f16 || dtype == .bf16
        let activations = dtype == .i8 || isHalf && (isCPU || m > 1) ? dtype : .f32
        let a = try device.makeTensor(activations, [m, k])
        try a.write([UInt8](repeating: 0x11, count: a.byteCount))
        let b = try device.makeTensor(dtype, [n, k])
        try b.write([UInt8](repeating: 0x11, count: b.byteCount))
        let weights = try PackedWeights(b, activations: isCPU ? .int8 : .f16)
        let c = try device.makeTensor(activations == .i8 ? .i32 : activations, [m, n])
        let name = m == 1 ? "gemv.\(dtype)" : "gemm.\(dtype)"
        return try time(name, "\(m)x\(n)x\(k)", path: isCPU ? "packed" : nil, selection) {
            try GEMM.encode(a, weights, into: c, &$0)
        }
    }

    private func memory(_ stream: Probe.Stream, mebibytes: Int, _ selection: BenchSelection) throws -> Result {
        let count = mebibytes << 18
        let tensors = try (0..<3).map { _ in try device.makeTensor([Float](repeating: 1, count: count), [count]) }
        return try time("memory.\(stream.rawValue)", "\(mebibytes) MiB", selection) {
            try Probe.encode(stream, tensors[0], tensors[1], into: tensors[2], &$0)
        }
    }

    /// Causal, query heads sharing KV heads.
    private func attention(_ shape: [Int], _ dtype: DType, _ selection: BenchSelection) throws -> Result {
        let (tq, tk, heads, kvHeads, d) = (shape[0], shape[1], shape[2], shape[3], shape[4])
        func tensor(_ shape: [Int]) throws -> Tensor {
            let tensor = try device.makeTensor(dtype, shape)
            try tensor.write([UInt8](repeating: 0x11, count: tensor.byteCount))
            return tensor
        }
        let (q, k, v) = (
            try tensor([1, tq, heads, d]), try tensor([1, tk, kvHeads, d]), try tensor([1, tk, kvHeads, d])
        )
        let o = try device.makeTensor(.f32, q.shape)
        let name = dtype == .f32 ? "attention" : "attention.\(dtype)"
        return try time(name, "Tq=\(tq) Tk=\(tk) H=\(heads)/\(kvHeads) D=\(d)", selection) {
            try Attention.encode(q: q, k: k, v: v, isCausal: true, into: o, &$0)
        }
    }

    private func norm(rows: Int, n: Int, _ selection: BenchSelection) throws -> Result {
        let x = try device.makeTensor([Float](repeating: 0.5, count: rows * n), [rows, n])
        let weight = try device.makeTensor([Float](repeating: 1, count: n), [n])
        let y = try device.makeTensor(.f32, [rows, n])
        return try time("rms_norm", "\(rows)x\(n)", selection) {
            try RMSNorm.encode(x, weight: weight, epsilon: 1e-5, into: y, &$0)
        }
    }

    /// Makes every kernel that has one of `variants` take it. - Throws: `invalid` naming the variants there are.
    public static func force(_ variants: [String], on device: Device) throws(DeviceError) {
        let known = ShaderCatalog.variantNames
        if let unknown = variants.first(where: { !known.contains($0) }) {
            throw DeviceError(.invalid, "no variant '\(unknown)'; there are \(known.joined(separator: ", "))")
        }
        if let idle = variants.first(where: { !ShaderCatalog.runs($0, on: device) }) {
            throw DeviceError(.invalid, "\(device.selector) lacks what every kernel of variant '\(idle)' needs")
        }
        device.forced.withLock { $0.variants = variants }
    }

    /// One line for each f32 product of the gemm workload, and some of language models.
    public static func explanations(_ device: Device) throws -> [String] {
        try [(128, 128, 128), (256, 256, 256), (512, 512, 512), (1, 2048, 2048), (16, 2048, 2048), (512, 2048, 2048)]
            .compactMap { m, n, k in
                let a = try device.makeTensor(.f32, [m, k])
                guard let choice = GEMM.explain(a, try device.makeTensor(.f32, [n, k])) else { return nil }
                return "\(m)x\(n)x\(k): \(choice.path.rawValue), \(choice.reason)"
            }
    }
}
