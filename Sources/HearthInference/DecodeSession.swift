import HearthCompute
import HearthKernels
import HearthModels
import HearthRoofline

/// One sequence being read and continued: its KV cache and position.
public final class DecodeSession {
    private let language: LanguageModel
    private let cache: KVCache
    private var workspaces: [Int: Workspace] = [:]
    private var recorded: RecordedStep?
    public private(set) var position = 0

    /// A pass over one token as it was recorded, and what reads its answer.
    private struct RecordedStep {
        /// The most keys that it serves.
        let keys: Int
        let wanted: Wanted
        let work: RecordedWork
        let read: () throws(DeviceError) -> Answer
    }

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

    /// What is brought back from the device: as little as the sampler can do with.
    public enum Wanted: Sendable, Hashable {
        case largest
        /// The k largest; more than `TopK.maximum` bring all.
        case likeliest(Int)
        case logits
    }

    /// What follows the tokens read.
    public enum Answer: Sendable {
        case token(Int32)
        /// Likeliest first, the first of equals first.
        case likeliest([Candidate])
        case logits([Float])
    }

    /// A token that may come next.
    public struct Candidate: Sendable {
        public let id: Int32
        public let logit: Float

        public init(id: Int32, logit: Float) { (self.id, self.logit) = (id, logit) }
    }

    /// Reads `ids` and returns what follows the last of them.
    public func advance(_ ids: [Int32], _ wanted: Wanted, progress: (Int) -> Void = { _ in }) throws(DeviceError)
        -> (Answer, Usage)
    {
        precondition(!ids.isEmpty, "no tokens")
        try checkRoom(ids.count)
        var usage = Usage()
        var answer: Answer?
        for start in stride(from: 0, to: ids.count, by: Self.chunk) {
            let piece = Array(ids[start..<min(ids.count, start + Self.chunk)])
            let isLast = start + piece.count == ids.count
            let read = try pass(piece, outputs: .last, isLast ? wanted : .logits, &usage)
            if isLast { answer = try read() }
            progress(start + piece.count)
        }
        return (answer!, usage)
    }

    private func checkRoom(_ count: Int) throws(DeviceError) {
        let most = min(capacity, language.contextLength)
        if position + count > most {
            throw DeviceError(.invalid, "\(count) tokens at position \(position) of a context of \(most)")
        }
    }

    /// Logits after every token of `ids`: row t predicts token t + 1. For scoring, not for speed.
    public func score(_ ids: [Int32]) throws(DeviceError) -> [[Float]] {
        try checkRoom(ids.count)
        var rows: [[Float]] = []
        var usage = Usage()
        for start in stride(from: 0, to: ids.count, by: Self.chunk) {
            let piece = Array(ids[start..<min(ids.count, start + Self.chunk)])
            guard case .logits(let all) = try pass(piece, outputs: .all, .logits, &usage)() else { break }
            let width = all.count / piece.count
            rows += (0..<piece.count).map { Array(all[$0 * width..<($0 + 1) * width]) }
        }
        return rows
    }

    /// Runs `ids` and returns what reads the answer. Single tokens replay one recording where the device can.
    private func pass(
        _ ids: [Int32], outputs: LlamaModel.Outputs, _ wanted: Wanted, _ usage: inout Usage
    ) throws(DeviceError) -> () throws(DeviceError) -> Answer {
        let start = ContinuousClock.now
        let workspace = try workspace(ids.count)
        try workspace.write(ids, at: position)
        let keys = position + ids.count
        let (submission, read): (Submission, () throws(DeviceError) -> Answer)
        let kernels: [KernelCost]
        if ids.count == 1, language.device.canReplay {
            let step = try recordedStep(keys, wanted, workspace)
            (submission, read) = (try step.work.submit(), step.read)
            let attention = language.model.stepAttentionCost(keys: keys)
            kernels = submission.kernels.map {
                var kernel = $0
                if kernel.kernel == "attention" { kernel.cost = attention }
                return kernel
            }
        } else {
            var encoder = try language.device.makeEncoder()
            read = try encode(keys: keys, outputs, wanted, workspace, &encoder)
            submission = try encoder.submit()
            kernels = submission.kernels
        }
        let deviceTime = try submission.wait()
        position = keys
        usage += Usage(
            seconds: (ContinuousClock.now - start).seconds, deviceSeconds: deviceTime.seconds, submissions: 1,
            kernels: kernels)
        return read
    }

    /// One recording serves as many keys as fill the splits that it has.
    private func recordedStep(
        _ keys: Int, _ wanted: Wanted, _ workspace: Workspace
    ) throws(DeviceError) -> RecordedStep {
        if let recorded, recorded.wanted == wanted, keys <= recorded.keys, !recorded.work.isOutdated { return recorded }
        let split = Attention.keysPerSplit
        let most = min(capacity, (keys + split - 1) / split * split)
        var encoder = try language.device.makeReplayEncoder()
        let read = try encode(keys: most, .last, wanted, workspace, &encoder)
        let step = RecordedStep(keys: most, wanted: wanted, work: try encoder.record(), read: read)
        recorded = step
        return step
    }

    private func encode(
        keys: Int, _ outputs: LlamaModel.Outputs, _ wanted: Wanted, _ workspace: Workspace,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) -> () throws(DeviceError) -> Answer {
        let logits = try language.model.encode(
            keys: keys, cache: cache, outputs: outputs, workspace: workspace, &encoder)
        return try Self.encodeChoice(wanted, of: logits, &encoder)
    }

    private static func encodeChoice(
        _ wanted: Wanted, of logits: Tensor, _ encoder: inout CommandEncoder
    ) throws(DeviceError) -> () throws(DeviceError) -> Answer {
        let device = encoder.device
        switch wanted {
        case .largest:
            let index = try device.makeTensor(.i32, [logits.shape[0]])
            try ArgMax.encode(logits, into: index, &encoder)
            return { () throws(DeviceError) in .token(try index.read(as: Int32.self)[0]) }
        case .likeliest(let k) where k <= TopK.maximum:
            // Both in one buffer, whose halves begin where every device binds: one read.
            let (count, width) = (min(k, logits.shape[1]), (k + 63) / 64 * 64)
            let both = try device.makeTensor(.i32, [2, width])
            let values = Tensor(both.buffer, dtype: .f32, shape: [1, count])
            let ids = Tensor(both.buffer, dtype: .i32, shape: [1, count], byteOffset: 4 * width)
            try TopK.encode(logits, into: values, indices: ids, &encoder)
            return { () throws(DeviceError) in
                let words = try both.read(as: UInt32.self)
                return .likeliest(
                    (0..<count).map {
                        Candidate(id: Int32(bitPattern: words[width + $0]), logit: Float(bitPattern: words[$0]))
                    })
            }
        case .likeliest, .logits:
            return { () throws(DeviceError) in .logits(try logits.read(as: Float.self)) }
        }
    }

    private func workspace(_ count: Int) throws(DeviceError) -> Workspace {
        if let known = workspaces[count] { return known }
        // One token and one chunk are the sizes that come back; others are kept for this call only.
        let made = try Workspace(language.config, tokenCount: count, device: language.device)
        if count == 1 || count == Self.chunk { workspaces[count] = made }
        return made
    }
}
