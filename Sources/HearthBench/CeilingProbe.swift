import Foundation
import HearthCompute
import HearthKernels
import HearthRoofline

/// Measures what a device reaches at most: the denominators of every share Hearth reports.
public struct CeilingProbe {
    let device: Device
    private let progress: (String) -> Void
    /// Samples of each figure; the median and quartiles are kept.
    private let sampleCount = 11

    public init(_ device: Device, progress: @escaping (String) -> Void = { _ in }) {
        self.device = device
        self.progress = progress
    }

    public func run() throws -> Ceilings {
        progress("f32 multiply-add")
        guard let flops = try measureFlops(.f32) else { throw DeviceError(.invalid, "no f32 multiply-add") }
        progress("bf16 and int8 dot products")
        let (bf16, int8) = (try measureFlops(.bf16), try measureFlops(.int8))
        let matrix = try measureMatrixUnits()
        // 128 MiB: four times a server's share of last-level cache, and inside every driver's storage range.
        let count = 32 << 20
        let a = try device.makeTensor(repeating: 1, [count])
        let b = try device.makeTensor(repeating: 2, [count])
        let c = try device.makeTensor(repeating: 0, [count])
        progress("memory copy")
        let copy = try measure(.copy, a, b, c)
        progress("memory read")
        let read = try measure(.read, a, b, c)
        progress("memory triad")
        let triad = try measure(.triad, a, b, c)
        progress("host transfers")
        let (toDevice, toHost) = try measureTransfers(a)
        progress("empty submissions")
        let submit = try measureEmptySubmit()
        device.savePipelineCache()
        return Ceilings(
            device: device.selector, deviceName: device.description.name, driver: device.description.driver,
            measuredAt: Date().timeIntervalSince1970, f32FlopsPerSecond: flops, copyBytesPerSecond: copy,
            readBytesPerSecond: read, triadBytesPerSecond: triad, hostToDeviceBytesPerSecond: toDevice,
            deviceToHostBytesPerSecond: toHost, emptySubmitSeconds: submit, bf16FlopsPerSecond: bf16,
            int8OpsPerSecond: int8, f16MatrixFlopsPerSecond: matrix)
    }

    private func samples(_ body: () throws -> Double) throws -> MeasuredValue {
        _ = try body()
        return MeasuredValue(samples: try (0..<sampleCount).map { _ in try body() })!
    }

    /// nil where the device has none of this arithmetic.
    private func measureFlops(_ arithmetic: Arithmetic) throws -> MeasuredValue? {
        guard let once = try multiply(arithmetic) else { return nil }
        return try samples {
            let result = try once()
            return result.cost.flops / result.seconds
        }
    }

    /// The fastest way to the matrix units: of a subgroup, or of a workgroup where the device has such; nil without matrix units.
    private func measureMatrixUnits() throws -> MeasuredValue? {
        let before = device.forced.withLock { $0 }
        defer { device.forced.withLock { $0 = before } }
        var best: MeasuredValue?
        for variant in ShaderCatalog.variants(of: "probe_matrix") where variant.runs(on: device) {
            progress("matrix units, \(variant.name)")
            device.forced.withLock { $0.variants = [variant.name] }
            guard let measured = try measureFlops(.f16Matrix) else { continue }
            progress("matrix units, \(variant.name): \(Int(measured.median / 1e9)) GFLOP/s")
            if measured.median > best?.median ?? 0 { best = measured }
        }
        return best
    }

    /// Multiplications in registers that take long enough, 30 ms or more, for the clock and the clock rate to settle; nil where the
    /// device has none of this arithmetic.
    func multiply(_ arithmetic: Arithmetic) throws -> (() throws -> (cost: Cost, seconds: Double))? {
        let scratch = try device.makeTensor(.f32, [1 << 16])
        func once(_ rounds: Int) throws -> (cost: Cost, seconds: Double) {
            try submit { try Probe.encodeMultiply(arithmetic, rounds: rounds, scratch: scratch, &$0) }
        }
        var rounds = 64
        if try once(rounds).cost.flops == 0 { return nil }
        while try once(rounds).seconds < 0.03, rounds < 1 << 28 { rounds *= 2 }
        return { [rounds] in try once(rounds) }
    }

    func submit(_ encode: (inout CommandEncoder) throws -> Void) throws -> (cost: Cost, seconds: Double) {
        var encoder = try device.makeEncoder()
        try encode(&encoder)
        let submission = try encoder.submit()
        let seconds = try submission.wait().seconds
        return (submission.cost, seconds)
    }

    private func measure(_ stream: Probe.Stream, _ a: Tensor, _ b: Tensor, _ c: Tensor) throws -> MeasuredValue {
        try samples {
            let result = try submit { try Probe.encode(stream, a, b, into: c, &$0) }
            return result.cost.byteCount / result.seconds
        }
    }

    private func measureTransfers(_ tensor: Tensor) throws -> (toDevice: MeasuredValue, toHost: MeasuredValue) {
        let byteCount = 64 << 20
        let host = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 4096)
        defer { host.deallocate() }
        host.initializeMemory(as: UInt8.self, repeating: 1)
        func timed(_ body: () throws -> Void) rethrows -> Double {
            let start = ContinuousClock.now
            try body()
            return Double(byteCount) / (ContinuousClock.now - start).seconds
        }
        let toDevice = try samples { try timed { try tensor.buffer.write(UnsafeRawBufferPointer(host)) } }
        let toHost = try samples { try timed { try tensor.buffer.read(into: host) } }
        return (toDevice, toHost)
    }

    private func measureEmptySubmit() throws -> MeasuredValue {
        try samples {
            let rounds = 20
            let start = ContinuousClock.now
            for _ in 0..<rounds { try device.makeEncoder().submit().wait() }
            return (ContinuousClock.now - start).seconds / Double(rounds)
        }
    }
}
