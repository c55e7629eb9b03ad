import HearthCompute
import HearthKernels
import HearthRoofline

/// One kernel at one size, so many times: `gemm 512x512x512 f32 x200`. Type and count may be left out: `f32`, or `copy` of memory, and once.
public struct BenchCase: Sendable, Hashable {
    let workload: String
    let shape: [Int]
    /// Of every workload but memory.
    let dtype: DType
    /// Of memory.
    let stream: Probe.Stream
    public let launches: Int

    public struct Malformed: Error, CustomStringConvertible {
        public let description: String
    }

    /// Workloads that are cases; `quant` is `gemm` in a quantised type.
    public static let workloads = KernelBench.workloads.filter { $0 != "quant" }

    init(_ workload: String, _ shape: [Int], _ dtype: DType = .f32, stream: Probe.Stream = .copy, launches: Int = 1) {
        (self.workload, self.shape, self.dtype, self.stream, self.launches) = (workload, shape, dtype, stream, launches)
    }

    /// - Throws: `Malformed`, which says what was expected in place of what.
    public init(_ text: String) throws(Malformed) {
        func malformed(_ reason: String) -> Malformed { Malformed(description: "case '\(text.prefix(80))': \(reason)") }
        var words = text.split(separator: " ").map(String.init)
        guard words.count >= 2, Self.workloads.contains(words[0]) else {
            throw malformed(
                "expected WORKLOAD SHAPE [TYPE] [xCOUNT], a workload of \(Self.workloads.joined(separator: ", "))")
        }
        workload = words.removeFirst()
        do { shape = try BenchSelection.parse(words.removeFirst(), workload: workload) } catch {
            throw malformed(error.description)
        }
        var launches = 1
        if let last = words.last, last.first == "x" {
            guard let count = Int(last.dropFirst()), (1...1_000_000).contains(count) else {
                throw malformed("a count is x1 to x1000000, not '\(last)'")
            }
            launches = count
            words.removeLast()
        }
        self.launches = launches
        let type = words.isEmpty ? nil : words.removeFirst()
        if let extra = words.first { throw malformed("'\(extra)' is too much") }
        if workload == "memory" {
            guard let stream = Probe.Stream(rawValue: type ?? "copy") else {
                throw malformed("no stream '\(type ?? "")'")
            }
            (self.stream, dtype) = (stream, .f32)
            return
        }
        let types = KernelBench.types(of: workload)
        guard let dtype = DType(rawValue: type ?? "f32"), types.contains(dtype) else {
            throw malformed(
                "\(workload) runs in \(types.map(\.rawValue).joined(separator: ", ")), not in '\(type ?? "")'")
        }
        (self.dtype, stream) = (dtype, .copy)
        if dtype.isQuantised, shape.last! % dtype.blockLength != 0 {
            throw malformed("k is not whole \(dtype) blocks of \(dtype.blockLength)")
        }
    }

    /// Under which its times are comparable.
    var kernel: String {
        switch workload {
        case "memory": "memory.\(stream.rawValue)"
        case "norm": "rms_norm"
        case "attention": dtype == .f32 ? "attention" : "attention.\(dtype)"
        default: "\(rows == 1 ? "gemv" : "gemm").\(dtype)"
        }
    }

    private var rows: Int { workload == "gemv" ? 1 : shape[0] }

    /// What it computes, from its shape alone.
    public var work: KernelWork {
        switch workload {
        case "gemm", "gemv":
            let (n, k) = (shape[shape.count - 2], shape[shape.count - 1])
            let activations = dtype == .i8 || dtype == .f16 || dtype == .bf16 ? dtype : .f32
            let cost = GEMM.cost(.init(m: rows, n: n, k: k, weights: dtype, activations: activations))
            return KernelWork(kernel, cost, dtype.isQuantised || dtype == .i8 ? .int8 : .f32, launches: launches)
        case "attention":
            let problem = Attention.Problem(
                b: 1, tq: shape[0], tk: shape[1], hq: shape[2], hkv: shape[3], d: shape[4], isCausal: true,
                queries: dtype, keys: dtype)
            return KernelWork(kernel, Attention.cost(problem), launches: launches)
        case "norm": return KernelWork(kernel, RMSNorm.cost(rows: shape[0], n: shape[1]), launches: launches)
        default:
            let bytes = Double(shape[0] << 20)
            let cost = Cost(
                bytesRead: stream == .triad ? 2 * bytes : bytes, bytesWritten: stream == .read ? 0 : bytes)
            return KernelWork(kernel, cost, launches: launches)
        }
    }

    /// Making its operands.
    public var preparation: KernelWork { KernelWork("operands.\(workload)", Cost(bytesWritten: memoryByteCount)) }

    /// Of its operands and results, about.
    public var memoryByteCount: Double {
        workload == "memory" ? 3 * Double(shape[0] << 20) : 2 * work.cost.byteCount
    }
}
