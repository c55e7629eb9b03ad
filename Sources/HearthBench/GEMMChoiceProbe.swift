import Foundation
import HearthCompute
import HearthKernels

/// Measures the CPU's ways to make an f32 product at shapes a factor of two to four apart: what `GEMMChoice` decides by.
public struct GEMMChoiceProbe {
    private let device: Device
    private let threads: Int
    private let progress: (String) -> Void

    public init(_ device: Device, threads: Int, progress: @escaping (String) -> Void = { _ in }) {
        (self.device, self.threads, self.progress) = (device, threads, progress)
    }

    private typealias Shape = (m: Int, n: Int, k: Int, isPlain: Bool)

    private static let shapes: [Shape] =
        [true, false].flatMap { isPlain in
            [64, 256, 512, 1024, 2048].map { (m: $0, n: $0, k: $0, isPlain: isPlain) }
                + [4, 16, 64, 256].map { (m: $0, n: 2048, k: 2048, isPlain: isPlain) }
        }

    /// Measures and keeps the table; ways that this machine lacks are left out of it.
    public func run() throws {
        var seconds = Self.shapes.map { _ in [GEMMChoice.Path: Double]() }
        var small = [true: Double.infinity, false: .infinity]
        // The least disturbed of each, at three times: another program must not make the choice, even one that stays for a
        // second.
        defer { GEMMChoice.forcedAlone.withLock { $0 = nil } }
        for pass in 1...Self.passes {
            if threads > 1 {
                try measureSmall(into: &small)
                // Small products beside OpenBLAS are made as the table will say, not as an earlier one does.
                let isAlone = small[true]! < small[false]!
                if GEMMChoice.forcedAlone.withLock({ $0 }) != isAlone {
                    for (index, shape) in Self.shapes.enumerated() where shape.n == 64 { seconds[index] = [:] }
                }
                GEMMChoice.forcedAlone.withLock { $0 = isAlone }
            }
            // What takes so long is not disturbed by anything short.
            for (index, shape) in Self.shapes.enumerated() where seconds[index].values.min() ?? 0 < 0.5 {
                progress(
                    "products \(shape.m)x\(shape.n)x\(shape.k)\(shape.isPlain ? "" : ", weights by rows")"
                        + ", pass \(pass) of \(Self.passes)")
                try measure(shape, into: &seconds[index])
            }
        }
        let measurements = zip(Self.shapes, seconds).map {
            GEMMChoice.Measurement(m: $0.m, n: $0.n, k: $0.k, isPlain: $0.isPlain, seconds: $1)
        }
        try GEMMChoice.save(
            .init(
                measuredAt: Date().timeIntervalSince1970, measurements: measurements,
                small: threads > 1 ? .init(aloneSeconds: small[true]!, sharedSeconds: small[false]!) : nil),
            threads: threads)
        try measureBF16()
    }

    private static let passes = 3

    /// Every way in turns: two rounds on the slowest machine, of which the first does not count; on others up to eight, or 0.7 s.
    private func measure(_ shape: Shape, into best: inout [GEMMChoice.Path: Double]) throws {
        let (m, n, k) = (shape.m, shape.n, shape.k)
        let a = try device.makeTensor(repeating: 0.5, [m, k])
        let stored = try device.makeTensor(repeating: 0.25, shape.isPlain ? [k, n] : [n, k])
        let b = shape.isPlain ? stored.transposed : stored
        let c = try device.makeTensor(.f32, [m, n])
        // Small products come in rows: as many a sample as make a millisecond.
        let repeats = max(1, Int(2e8 / (2 * Double(m) * Double(n) * Double(k))))
        let begun = ContinuousClock.now
        for round in 0..<8 where round < 2 || (ContinuousClock.now - begun).seconds < 0.7 {
            for path in [GEMMChoice.Path.blocked, .openBLAS] + (shape.isPlain ? [.packed] : []) {
                var encoder = try device.makeEncoder()
                let start = ContinuousClock.now
                do throws(DeviceError) {
                    for _ in 0..<repeats { try GEMM.encode(a, b, into: c, path: path, &encoder) }
                } catch {
                    if error.code == .invalid { continue }
                    throw error
                }
                let each = (ContinuousClock.now - start).seconds / Double(repeats)
                if round > 0 { best[path] = min(best[path] ?? .infinity, each) }
            }
        }
    }

    /// A small product on one thread (true) and on all, in turns.
    private func measureSmall(into best: inout [Bool: Double]) throws {
        progress("small products")
        let tensors = try (0..<3).map { _ in try device.makeTensor(repeating: 0.5, [64, 64]) }
        for _ in 0..<4 {
            for isAlone in [true, false] {
                GEMMChoice.forcedAlone.withLock { $0 = isAlone }
                var seconds = 0.0
                // The first time wakes the other threads, which takes longer than a hundred products.
                for _ in 0..<2 {
                    var encoder = try device.makeEncoder()
                    let start = ContinuousClock.now
                    for _ in 0..<2000 {
                        try GEMM.encode(tensors[0], tensors[1].transposed, into: tensors[2], path: .blocked, &encoder)
                    }
                    seconds = (ContinuousClock.now - start).seconds / 2000
                }
                best[isAlone] = min(best[isAlone]!, seconds)
            }
        }
    }

    /// bf16 by bf16 both ways, on one thread: the choice holds for any number of them.
    private func measureBF16() throws {
        guard GEMMChoice.hasBF16Dots else { return }
        progress("products of bf16")
        let (one, size) = (try Device.open(.cpu, threadCount: 1), 512)
        let a = try one.makeTensor(.bf16, [size, size])
        let b = try one.makeTensor(.bf16, [size, size])
        for operand in [a, b] { try operand.fill(0x3f00_3f00) }
        let (weights, c) = (try PackedWeights(b), try one.makeTensor(.bf16, [size, size]))
        defer { GEMMChoice.forcedDots.withLock { $0 = nil } }
        var seconds: [Bool: [Double]] = [:]
        for round in 0..<8 {
            for isDotted in [true, false] {
                GEMMChoice.forcedDots.withLock { $0 = isDotted }
                var encoder = try one.makeEncoder()
                let start = ContinuousClock.now
                try GEMM.encode(a, weights, into: c, &encoder)
                if round > 0 { seconds[isDotted, default: []].append((ContinuousClock.now - start).seconds) }
            }
        }
        try GEMMChoice.save(
            GEMMChoice.BF16Measurement(
                measuredAt: Date().timeIntervalSince1970, dotSeconds: seconds[true]!.min()!,
                widenedSeconds: seconds[false]!.min()!))
    }
}
