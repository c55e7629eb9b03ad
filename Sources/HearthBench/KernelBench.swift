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
                for one in cases(workload, shape, dtypes) {
                    onResult(try time(try PreparedKernel(one, on: device), selection))
                }
            }
        }
    }

    private func cases(_ workload: String, _ shape: [Int], _ dtypes: [DType]) -> [BenchCase] {
        switch workload {
        case "norm": [BenchCase(workload, shape)]
        case "memory": [.copy, .read, .triad].map { BenchCase(workload, shape, stream: $0) }
        default: dtypes.map { BenchCase(workload == "quant" ? "gemm" : workload, shape, $0) }
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

    private func time(_ prepared: PreparedKernel, _ selection: BenchSelection) throws -> Result {
        let isCPU = device.description.kind == .cpu
        var kernels: [KernelCost] = []
        func seconds(_ count: Int) throws -> Double {
            var encoder = try device.makeEncoder()
            for _ in 0..<count { try prepared.encode(&encoder) }
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
            kernel: prepared.kernel, shape: prepared.shape, device: device.selector, path: prepared.path,
            threads: device.cpuThreadCount,
            cache: selection.isCold ? "cold" : "warm", peakMebibytes: peak.map { ($0 * 10).rounded() / 10 },
            seconds: measured, cost: cost,
            achieved: Achievement(kernels: launches, seconds: measured.median, ceilings: ceilings),
            predictedSeconds: launches.reduce(0) { $0 + ceilings.seconds(for: $1.cost, arithmetic: $1.arithmetic) })
    }

    /// Runs every launch of `one`: what making its operands took, and what they took together.
    public func run(_ one: BenchCase) throws -> [KernelTime] {
        var start = ContinuousClock.now
        let prepared = try PreparedKernel(one, on: device)
        let preparing = KernelTime(one.preparation, seconds: (ContinuousClock.now - start).seconds)
        start = ContinuousClock.now
        var left = one.launches
        while left > 0 {
            let count = min(left, 16)
            var encoder = try device.makeEncoder()
            for _ in 0..<count { try prepared.encode(&encoder) }
            _ = try encoder.submit().wait()
            left -= count
        }
        return [preparing, KernelTime(one.work, seconds: (ContinuousClock.now - start).seconds)]
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
