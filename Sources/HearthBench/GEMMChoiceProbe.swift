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

    static let shapes =
        [true, false].flatMap { isPlain in
            [64, 256, 512, 1024, 2048].map { (m: $0, n: $0, k: $0, isPlain: isPlain) }
                + [4, 16, 64, 256].map { (m: $0, n: 2048, k: 2048, isPlain: isPlain) }
        }

    /// Measures and keeps the table; ways that this machine lacks are left out of it.
    public func run() throws {
        var measurements: [GEMMChoice.Measurement] = []
        for (m, n, k, isPlain) in Self.shapes {
            progress("products \(m)x\(n)x\(k)\(isPlain ? "" : ", weights by rows")")
            let a = try device.makeTensor(repeating: 0.5, [m, k])
            let stored = try device.makeTensor(repeating: 0.25, isPlain ? [k, n] : [n, k])
            let b = isPlain ? stored.transposed : stored
            let c = try device.makeTensor(.f32, [m, n])
            var seconds: [GEMMChoice.Path: [Double]] = [:]
            // Small products come in rows: as many a sample as make a millisecond.
            let repeats = max(1, Int(2e8 / (2 * Double(m) * Double(n) * Double(k))))
            // In turns, and the least disturbed of each: another program must not make the choice.
            // Two rounds on the slowest machine, of which the first does not count; on others twenty, or two seconds.
            let begun = ContinuousClock.now
            for round in 0..<20 where round < 2 || (ContinuousClock.now - begun).seconds < 2 {
                for path in [GEMMChoice.Path.blocked, .openBLAS] + (isPlain ? [.packed] : []) {
                    var encoder = try device.makeEncoder()
                    let start = ContinuousClock.now
                    do throws(DeviceError) {
                        for _ in 0..<repeats { try GEMM.encode(a, b, into: c, path: path, &encoder) }
                    } catch {
                        if error.code == .invalid { continue }
                        throw error
                    }
                    let each = (ContinuousClock.now - start).seconds / Double(repeats)
                    if round > 0 { seconds[path, default: []].append(each) }
                }
            }
            measurements.append(
                .init(m: m, n: n, k: k, isPlain: isPlain, seconds: seconds.compactMapValues { $0.min() }))
        }
        try GEMMChoice.save(
            .init(
                measuredAt: Date().timeIntervalSince1970, measurements: measurements,
                small: threads > 1 ? try measureSmall() : nil),
            threads: threads)
        try measureBF16()
    }

    /// A small product on one thread and on all, in turns, the least disturbed of each.
    private func measureSmall() throws -> GEMMChoice.SmallMeasurement {
        progress("small products")
        let tensors = try (0..<3).map { _ in try device.makeTensor(repeating: 0.5, [64, 64]) }
        defer { GEMMChoice.forcedAlone.withLock { $0 = nil } }
        var best = [true: Double.infinity, false: .infinity]
        for _ in 0..<8 {
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
        return .init(aloneSeconds: best[true]!, sharedSeconds: best[false]!)
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
