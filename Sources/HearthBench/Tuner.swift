import Foundation
import HearthCompute
import HearthKernels

/// Times every variant of the Vulkan products on one device and keeps the fastest that is right and spills no registers:
/// `hearth tune`.
///
/// Stops anywhere and goes on where it stopped: the file is written after each entry.
public struct Tuner {
    private let device: Device
    private let minimumSeconds: Double
    private let progress: (String) -> Void

    public init(_ device: Device, minimumSeconds: Double = 0.2, progress: @escaping (String) -> Void = { _ in }) {
        (self.device, self.minimumSeconds, self.progress) = (device, minimumSeconds, progress)
    }

    /// Where the choices come from that the device takes so far, for people.
    public var origin: String {
        if let tuning = Tuning.load(for: device) { return "\(tuning.entries.count) choices measured so far" }
        guard let shipped = Tuning.shipped(for: device) else { return "not tuned so far, nothing shipped for it" }
        return "not tuned so far; shipped choices for \(shipped.match): \(shipped.measured ?? "never measured")"
    }

    /// Where the choices are kept.
    public var file: URL? { Tuning.file(for: device) }

    /// f32 activations beside weights of every format, and 16-bit ones beside their like.
    private static let all: [(operation: String, weights: DType, activations: DType)] =
        DType.allCases.filter(\.isReal).flatMap { weights in
            ([.f32] + ([.f16, .bf16].contains(weights) ? [weights] : [])).map { activations in
                ("gemm_\(activations)_\(weights)_\(activations)", weights, activations)
            }
        }
    /// What can be tuned.
    public static var operations: [String] { all.map(\.operation) }

    /// Rows that decisions are made for; the last is too much for a software driver.
    static let rows = [2, 8, 16, 64, 512, 4096]

    private var isSoftware: Bool { device.description.kind == .software }
    /// Columns and depth: large enough that a GPU is busy, small enough for a software driver.
    private var n: Int { isSoftware ? 256 : 4096 }
    private var k: Int { isSoftware ? 512 : 4096 }

    /// - Parameter isFresh: measure what is in the file already once more.
    /// - Parameter operations: only those whose names begin so; all when empty.
    public func run(isFresh: Bool = false, operations: [String] = []) throws -> Tuning {
        let description = device.description
        guard device.cpuThreadCount == nil else {
            throw DeviceError(.invalid, "the CPU has no variants to tune; hearth probe measures its choice of paths")
        }
        var tuning = Tuning(device: description.name, driver: description.driver)
        if let known = Tuning.load(for: device) { tuning = known }
        func isWanted(_ operation: String) -> Bool {
            operations.isEmpty || operations.contains(where: operation.hasPrefix)
        }
        if isFresh { tuning.entries.removeAll { isWanted($0.operation) } }
        device.keepShaderStatistics()
        let before = device.forced.withLock { $0 }
        // Candidates are timed whole, whatever the one before was like.
        device.forced.withLock { $0.submitBudget = .seconds(3600) }
        defer { device.forced.withLock { $0 = before } }
        for (operation, weights, activations) in Self.all where isWanted(operation) {
            for m in isSoftware ? Self.rows.dropLast() : Self.rows[...] {
                let isKnown = tuning.entries.contains {
                    $0.operation == operation && $0.rowsLog2 == Tuning.rowsLog2(m)
                }
                if isKnown { continue }
                guard let entry = try tune(operation, m, weights, activations) else { continue }
                tuning.entries.append(entry)
                try tuning.save(for: device)
            }
        }
        return tuning
    }

    private func tune(_ operation: String, _ m: Int, _ weights: DType, _ activations: DType) throws -> Tuning.Entry? {
        let candidates = ShaderCatalog.variants(of: operation).filter { $0.runs(on: device) }
        if candidates.count < 2 { return nil }
        let (a, b) = try operands(m, weights, activations, on: device)
        let packed = try PackedWeights(b, activations: .f32)
        let expected = try reference(m, weights, activations)
        let c = try device.makeTensor(activations, [m, n])
        var (seconds, spills, rejected): ([String: Double], [String: Int], [String: String]) = ([:], [:], [:])
        for candidate in candidates {
            let name = candidate.name
            progress("\(operation) \(m)x\(n)x\(k): \(name)")
            device.forced.withLock { $0.variants = [name] }
            do throws(DeviceError) {
                // Not what the candidate before has left.
                try c.fill(0xffff_ffff)
                _ = try submit(a, packed, c)
                if let problem = disagreement(
                    try widened(c).read(as: Float.self), expected, isHalf: activations != .f32)
                {
                    rejected[name] = problem
                } else {
                    seconds[name] = try time { () throws(DeviceError) in try submit(a, packed, c) }
                    spills[name] = try device.spills(candidate.shader)
                }
            } catch {
                // A device that was lost is of no use to the next candidate.
                if error.code == .deviceLost { throw error }
                rejected[name] = error.description
            }
        }
        guard let best = Self.best(seconds, spills: spills, &rejected) else {
            throw DeviceError(.driver, "\(operation): no variant is right on \(device.selector): \(rejected)")
        }
        return Tuning.Entry(
            operation: operation, rowsLog2: Tuning.rowsLog2(m), variant: best,
            seconds: seconds.filter { rejected[$0.key] == nil }, rejected: rejected)
    }

    /// The fastest of those that spill no registers, or of all where all do; the others that spill are rejected.
    package static func best(_ seconds: [String: Double], spills: [String: Int], _ rejected: inout [String: String])
        -> String?
    {
        let whole = seconds.filter { spills[$0.key, default: 0] == 0 }
        if !whole.isEmpty {
            for name in seconds.keys where whole[name] == nil {
                rejected[name] = "spills registers (\(spills[name, default: 0]) by the driver's count)"
            }
        }
        return (whole.isEmpty ? seconds : whole).min { $0.value < $1.value }?.key
    }

    private func submit(_ a: Tensor, _ weights: PackedWeights, _ c: Tensor) throws(DeviceError) -> Duration {
        var encoder = try device.makeEncoder()
        try GEMM.encode(a, weights, into: c, &encoder)
        return try encoder.submit().wait()
    }

    /// a `[m, k]` and b `[n, k]` with the same bytes on every device.
    private func operands(_ m: Int, _ weights: DType, _ activations: DType, on device: Device)
        throws(DeviceError) -> (a: Tensor, b: Tensor)
    {
        let (a, b) = (try device.makeTensor(activations, [m, k]), try device.makeTensor(weights, [n, k]))
        try a.write(bytes(activations, count: m * k, seed: 1))
        try b.write(bytes(weights, count: n * k, seed: 2))
        return (a, b)
    }

    /// The same product of the same bytes on the CPU, f32 sums.
    private func reference(_ m: Int, _ weights: DType, _ activations: DType) throws(DeviceError) -> [Float] {
        let cpu = try Device.open(.cpu)
        let (a, b) = try operands(m, weights, activations, on: cpu)
        let c = try cpu.makeTensor(.f32, [m, n])
        var encoder = try cpu.makeEncoder()
        try GEMM.encode(try widened(a), try widened(b), into: c, &encoder)
        return try c.read(as: Float.self)
    }

    private func widened(_ x: Tensor) throws(DeviceError) -> Tensor {
        if x.dtype == .f32 { return x }
        let wide = try x.buffer.device.makeTensor(.f32, x.shape)
        var encoder = try x.buffer.device.makeEncoder()
        try Cast.encode(x, into: wide, &encoder)
        try encoder.submit().wait()
        return wide
    }

    /// The median of at least three runs after one for warming up.
    private func time(_ body: () throws(DeviceError) -> Duration) throws(DeviceError) -> Double {
        _ = try body()
        var samples: [Double] = []
        let start = ContinuousClock.now
        while samples.count < 3 || (ContinuousClock.now - start).seconds < minimumSeconds {
            samples.append(try body().seconds)
        }
        return samples.sorted()[samples.count / 2]
    }

    /// The first element that is off by more than the rounding of another order of sums, or of a half; nil when none is.
    private func disagreement(_ values: [Float], _ expected: [Float], isHalf: Bool) -> String? {
        let largest = expected.map(abs).max() ?? 0
        for (i, want) in expected.enumerated() {
            let allowed = (isHalf ? 0.02 : 1e-4) * max(abs(want), 0.05 * largest) + 1e-5
            if !(abs(values[i] - want) <= allowed) { return "element \(i) is \(values[i]), on the CPU \(want)" }
        }
        return nil
    }

    private func bytes(_ dtype: DType, count: Int, seed: UInt64) -> [UInt8] {
        if dtype == .f32 { return PeerCases.floats(count, seed: seed).withUnsafeBytes { Array($0) } }
        return PeerCases.bytes(dtype, elementCount: count)
    }
}
