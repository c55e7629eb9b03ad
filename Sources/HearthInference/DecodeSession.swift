import HearthCompute
import HearthKernels
import HearthModels
import HearthRoofline

/// One sequence being read and continued: its KV cache and position.
public final class DecodeSession {
    private let language: LanguageModel
    private let cache: KVCache
    private var workspaces: [Int: Workspace] = [:]
    public private(set) var position = 0

    /// Tokens of one prefill pass: large enough for full tiles, small enough that a pass stays short.
    static let chunk = 256

    public init(_ language: LanguageModel, capacity: Int) throws(DeviceError) {
        self.language = language
        cache = try KVCache(language.config, capacity: capacity, device: language.device)
    }

    public var capacity: Int { cache.capacity }

    /// What one call cost: device time as measured, work as modelled.
    public struct Usage: Sendable {
        public var seconds = 0.0
        public var deviceSeconds = 0.0
        public var submissions = 0
        public var kernels: [KernelCost] = []
        public var cost: Cost { kernels.reduce(.zero) { $0 + $1.cost } }

        public static func += (a: inout Usage, b: Usage) {
            a.seconds += b.seconds
            a.deviceSeconds += b.deviceSeconds
            a.submissions += b.submissions
            a.kernels += b.kernels
        }
    }

    /// Reads `ids` and returns the logits after the last of them, or the largest one's id when `greedy`.
    public enum Answer: Sendable {
        case token(Int32)
        case logits([Float])
    }

    public func advance(_ ids: [Int32], greedy: Bool, progress: (Int) -> Void = { _ in }) throws(DeviceError)
        -> (Answer, Usage)
    {
        precondition(
            !ids.isEmpty && position + ids.count <= capacity, "\(ids.count) tokens at \(position) of \(capacity)")
        var usage = Usage()
        var answer: Answer?
        for start in stride(from: 0, to: ids.count, by: Self.chunk) {
            let piece = Array(ids[start..<min(ids.count, start + Self.chunk)])
            let isLast = start + piece.count == ids.count
            let (logits, index) = try pass(piece, outputs: .last, argMax: greedy && isLast, &usage)
            if isLast {
                answer =
                    index != nil ? .token(try index!.read(as: Int32.self)[0]) : .logits(try logits.read(as: Float.self))
            }
            progress(start + piece.count)
        }
        return (answer!, usage)
    }

    /// Logits after every token of `ids`: row t predicts token t + 1. For scoring, not for speed.
    public func score(_ ids: [Int32]) throws(DeviceError) -> [[Float]] {
        precondition(position + ids.count <= capacity, "\(ids.count) tokens at \(position) of \(capacity)")
        var rows: [[Float]] = []
        var usage = Usage()
        for start in stride(from: 0, to: ids.count, by: Self.chunk) {
            let piece = Array(ids[start..<min(ids.count, start + Self.chunk)])
            let all = try pass(piece, outputs: .all, argMax: false, &usage).0.read(as: Float.self)
            let width = all.count / piece.count
            rows += (0..<piece.count).map { Array(all[$0 * width..<($0 + 1) * width]) }
        }
        return rows
    }

    private func pass(
        _ ids: [Int32], outputs: LlamaModel.Outputs, argMax: Bool, _ usage: inout Usage
    ) throws(DeviceError) -> (Tensor, Tensor?) {
        let start = ContinuousClock.now
        let device = language.device
        let workspace = try workspace(ids.count)
        let tokens = try device.makeTensor(.i32, [ids.count])
        try tokens.write(ids)
        var encoder = try device.makeEncoder()
        let logits = try language.model.encode(
            ids: tokens, at: position, cache: cache, outputs: outputs, workspace: workspace, &encoder)
        var index: Tensor?
        if argMax {
            index = try device.makeTensor(.i32, [logits.shape[0]])
            try ArgMax.encode(logits, into: index!, &encoder)
        }
        let submission = try encoder.submit()
        let deviceTime = try submission.wait()
        position += ids.count
        usage += Usage(
            seconds: (ContinuousClock.now - start).seconds, deviceSeconds: deviceTime.seconds, submissions: 1,
            kernels: submission.kernels)
        return (logits, index)
    }

    private func workspace(_ count: Int) throws(DeviceError) -> Workspace {
        if let known = workspaces[count] { return known }
        // One token and one chunk are the sizes that come back; others are kept for this call only.
        let made = try Workspace(language.config, tokenCount: count, device: language.device)
        if count == 1 || count == Self.chunk { workspaces[count] = made }
        return made
    }
}
