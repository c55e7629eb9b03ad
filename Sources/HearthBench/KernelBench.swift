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
    public func run(_ workloads: [String], onResult: (Result) -> Void) throws {
        for workload in workloads {
            switch workload {
            case "gemm":
                for size in [128, 256, 512] { onResult(try gemm(m: size, n: size, k: size)) }
                if !isSoftware { onResult(try gemm(m: 1024, n: 1024, k: 1024)) }
            case "gemv":
                for dtype in [DType.f32, .f16, .bf16, .q8_0, .q4_1, .q4_0, .q4_k] where runs(dtype) {
                    onResult(try linear(m: 1, n: 5632, k: 2048, dtype))
                }
            case "quant":
                for dtype in [DType.q8_0, .q4_1, .q4_0, .q4_k] where runs(dtype) {
                    onResult(try linear(m: 64, n: 1536, k: 768, dtype))
                    if !isSoftware { onResult(try linear(m: 512, n: 2048, k: 2048, dtype)) }
                }
            case "attention":
                onResult(try attention(tq: 128, tk: 128))
                if !isSoftware { onResult(try attention(tq: 1024, tk: 1024)) }
                onResult(try attention(tq: 1, tk: 2048))
            case "norm": onResult(try norm(rows: 512, n: 2048))
            case "memory": for stream in [Probe.Stream.copy, .read, .triad] { onResult(try memory(stream)) }
            default: preconditionFailure("checked against KernelBench.workloads")
            }
        }
    }

    private var isSoftware: Bool { device.description.kind == .software }

    /// Vulkan has shaders for some of the weight types.
    private func runs(_ dtype: DType) -> Bool {
        device.description.kind == .cpu || [.f32, .f16, .q4_1, .q8_0].contains(dtype)
    }

    private func time(
        _ kernel: String, _ shape: String, path: String? = nil, _ encode: (inout CommandEncoder) throws -> Void
    ) throws
        -> Result
    {
        var cost = Cost.zero
        func once() throws -> Double {
            var encoder = try device.makeEncoder()
            try encode(&encoder)
            let submission = try encoder.submit()
            cost = submission.cost
            return try submission.wait().seconds
        }
        _ = try once()
        var samples: [Double] = []
        let start = ContinuousClock.now
        while samples.count < 5 || (ContinuousClock.now - start).seconds < minimumSeconds { samples.append(try once()) }
        let seconds = MeasuredValue(samples: samples)!
        return Result(
            kernel: kernel, shape: shape, device: device.selector, path: path, seconds: seconds, cost: cost,
            achieved: Achievement(cost: cost, seconds: seconds.median, ceilings: ceilings),
            predictedSeconds: ceilings.seconds(for: cost))
    }

    private func gemm(m: Int, n: Int, k: Int) throws -> Result {
        let a = try device.makeTensor([Float](repeating: 0.5, count: m * k), [m, k])
        let b = try device.makeTensor([Float](repeating: 0.25, count: n * k), [n, k])
        let c = try device.makeTensor(.f32, [m, n])
        return try time("gemm.f32", "\(m)x\(n)x\(k)", path: GEMM.explain(a, b)?.path.rawValue) {
            try GEMM.encode(a, b, into: c, &$0)
        }
    }

    /// Weights as a model holds them: packed where the device packs.
    private func linear(m: Int, n: Int, k: Int, _ dtype: DType) throws -> Result {
        let a = try device.makeTensor([Float](repeating: 0.5, count: m * k), [m, k])
        let b = try device.makeTensor(dtype, [n, k])
        try b.write([UInt8](repeating: 0x11, count: b.byteCount))
        let weights = try PackedWeights(b)
        let c = try device.makeTensor(.f32, [m, n])
        let path = device.description.kind == .cpu ? "packed" : nil
        return try time(m == 1 ? "gemv.\(dtype)" : "gemm.\(dtype)", "\(m)x\(n)x\(k)", path: path) {
            try GEMM.encode(a, weights, into: c, &$0)
        }
    }

    private func memory(_ stream: Probe.Stream) throws -> Result {
        let count = 16 << 20
        let tensors = try (0..<3).map { _ in try device.makeTensor([Float](repeating: 1, count: count), [count]) }
        return try time("memory.\(stream.rawValue)", "\(count / 262_144) MiB") {
            try Probe.encode(stream, tensors[0], tensors[1], into: tensors[2], &$0)
        }
    }

    private func attention(tq: Int, tk: Int) throws -> Result {
        let (heads, kvHeads, d) = (9, 3, 64)
        let q = try device.makeTensor([Float](repeating: 0.1, count: tq * heads * d), [1, tq, heads, d])
        let k = try device.makeTensor([Float](repeating: 0.1, count: tk * kvHeads * d), [1, tk, kvHeads, d])
        let o = try device.makeTensor(.f32, q.shape)
        let lse = try device.makeTensor(.f32, [1, tq, heads])
        return try time("attention", "Tq=\(tq) Tk=\(tk) H=\(heads)/\(kvHeads) D=\(d)") {
            try Attention.encode(q: q, k: k, v: k, isCausal: true, into: o, lse: lse, &$0)
        }
    }

    private func norm(rows: Int, n: Int) throws -> Result {
        let x = try device.makeTensor([Float](repeating: 0.5, count: rows * n), [rows, n])
        let weight = try device.makeTensor([Float](repeating: 1, count: n), [n])
        let y = try device.makeTensor(.f32, [rows, n])
        return try time("rms_norm", "\(rows)x\(n)") {
            try RMSNorm.encode(x, weight: weight, epsilon: 1e-5, into: y, &$0)
        }
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
