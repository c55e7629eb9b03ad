import Foundation
import HearthCompute
import HearthKernels

/// Runs the cases of Benchmarks/peers and prints the line protocol of its common.py, so that Hearth takes its turn
/// among the peers: one JSON object a case.
public struct PeerBench {
    public struct Line: Encodable {
        let `case`: String
        let variant: String
        var ms: Double?
        var min_ms: Double?
        var reps: Int?
        var mib: Double?
    }

    public static let workloads = ["gemm", "lowp", "attn", "attn_mem", "cold"]

    private let device: Device
    private let chosen: Set<String>
    private let minimumSeconds: Double
    private let emit: (Line) throws -> Void

    /// - Parameter cases: names to run; empty means all, on a Vulkan device those that its peers run.
    public init(
        _ device: Device, cases: [String], minimumSeconds: Double, emit: @escaping (Line) throws -> Void
    ) throws {
        self.device = device
        chosen = Set(cases.isEmpty && device.cpuThreadCount == nil ? PeerCases.vulkan : cases)
        self.minimumSeconds = minimumSeconds
        self.emit = emit
    }

    public func run(_ workload: String) throws {
        switch workload {
        case "gemm": for c in PeerCases.gemm where isChosen(c.name) { try time(c.name, try gemm(c)) }
        case "lowp": for c in PeerCases.lowPrecision where isChosen(c.name) { try time(c.name, try lowPrecision(c)) }
        case "attn": for c in PeerCases.attention where isChosen(c.name) { try time(c.name, try attention(c)) }
        case "attn_mem":
            // A smaller call first, with as many queries to a task: every thread has its scratch memory then (0.4 MiB, whatever
            // the length), as the peers have theirs from the call before.
            try attention(PeerCases.attention.first { $0.name == "att_2048_full" }!)(2)
            for c in PeerCases.attention
            where ["att_1024_full", "att_4096_full", "att_4096_causal"].contains(c.name) && isChosen(c.name) {
                let call = try attention(c)
                try emit(
                    Line(
                        case: c.name, variant: "",
                        mib: (try ProcessMemory.peakGrowth { try call(1) } * 10).rounded() / 10))
            }
        case "cold":
            let start = ContinuousClock.now
            try gemm(.init(name: "sq_1024", m: 1024, n: 1024, k: 1024, isLinear: false, batch: 1))(1)
            try emit(Line(case: "cold", variant: "", ms: (ContinuousClock.now - start).seconds * 1e3))
        default: preconditionFailure("checked against PeerBench.workloads")
        }
    }

    private func isChosen(_ name: String) -> Bool { chosen.isEmpty || chosen.contains(name) }

    /// Runs a case's kernel this many times.
    private typealias Call = (Int) throws -> Void

    /// As common.py's `measure`: warm up, group calls shorter than 0.2 ms, at least five samples, the median.
    private func time(_ name: String, _ call: Call) throws {
        func seconds(_ count: Int) throws -> Double {
            let start = ContinuousClock.now
            try call(count)
            return (ContinuousClock.now - start).seconds / Double(count)
        }
        let warm = ContinuousClock.now
        var one = try seconds(1)
        repeat { one = try seconds(1) } while (ContinuousClock.now - warm).seconds < minimumSeconds * 0.3
        let inner = one > 2e-4 ? 1 : Int(2e-4 / max(one, 1e-7)) + 1
        var samples: [Double] = []
        let start = ContinuousClock.now
        while samples.count < 4000,
            samples.count < 5 || (ContinuousClock.now - start).seconds < minimumSeconds
        {
            samples.append(try seconds(inner))
        }
        samples.sort()
        try emit(
            Line(
                case: name, variant: "", ms: samples[samples.count / 2] * 1e3, min_ms: samples[0] * 1e3,
                reps: samples.count))
    }

    private func repeated(_ encode: @escaping (inout CommandEncoder) throws(DeviceError) -> Void) -> Call {
        { [device] count in
            var encoder = try device.makeEncoder()
            for _ in 0..<count { try encode(&encoder) }
            try encoder.submit().wait()
        }
    }

    private func gemm(_ c: PeerCases.GEMMCase) throws -> Call {
        let a = try random([c.batch, c.m, c.k], seed: 1)
        let out = try device.makeTensor(.f32, [c.batch, c.m, c.n])
        if c.isLinear {
            let weights = try PackedWeights(try random([c.n, c.k], seed: 2))
            let (x, y) = (a.reshaped([c.m, c.k]), out.reshaped([c.m, c.n]))
            return repeated { (e) throws(DeviceError) in try GEMM.encode(x, weights, into: y, &e) }
        }
        let b = try random([c.batch, c.k, c.n], seed: 2)
        if c.batch > 1 {
            let right = b.exchangingLastTwo
            return repeated { (e) throws(DeviceError) in try GEMM.encodeBatched(a, right, into: out, &e) }
        }
        let (x, y, right) = (a.reshaped([c.m, c.k]), out.reshaped([c.m, c.n]), b.reshaped([c.k, c.n]).transposed)
        return repeated { (e) throws(DeviceError) in try GEMM.encode(x, right, into: y, &e) }
    }

    private func lowPrecision(_ c: PeerCases.LowPrecisionCase) throws -> Call {
        let isPlain = !c.weights.isQuantised
        let weights = try device.makeTensor(c.weights, [c.n, c.k])
        try weights.write(PeerCases.bytes(c.weights, elementCount: c.n * c.k))
        let a = try device.makeTensor(isPlain ? c.weights : .f32, [c.m, c.k])
        if isPlain {
            try a.write(PeerCases.bytes(c.weights, elementCount: c.m * c.k))
        } else {
            try a.write(PeerCases.floats(c.m * c.k, seed: 3))
        }
        let packed = try PackedWeights(weights)
        let y = try device.makeTensor(isPlain ? (c.weights == .i8 ? .i32 : c.weights) : .f32, [c.m, c.n])
        return repeated { (e) throws(DeviceError) in try GEMM.encode(a, packed, into: y, &e) }
    }

    private func attention(_ c: PeerCases.AttentionCase) throws -> Call {
        let q = try random([1, c.tq, c.hq, c.d], seed: 4)
        let (k, v) = (try random([1, c.tk, c.hkv, c.d], seed: 5), try random([1, c.tk, c.hkv, c.d], seed: 6))
        let o = try device.makeTensor(.f32, q.shape)
        return repeated { (e) throws(DeviceError) in
            try Attention.encode(q: q, k: k, v: v, isCausal: c.isCausal, into: o, &e)
        }
    }

    private func random(_ shape: [Int], seed: UInt64) throws -> Tensor {
        try device.makeTensor(PeerCases.floats(shape.reduce(1, *), seed: seed), shape)
    }
}

extension Tensor {
    /// A batch of matrices, each transposed; no data moves.
    fileprivate var exchangingLastTwo: Tensor {
        Tensor(
            buffer, dtype: dtype, shape: [shape[0], shape[2], shape[1]], strides: [strides[0], strides[2], strides[1]],
            byteOffset: byteOffset)
    }
}
