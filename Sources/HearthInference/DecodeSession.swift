import HearthCompute
import HearthModels
import HearthRoofline

/// One sequence being read and continued, alone on its device: its KV cache and position. `Engine` serves many.
public final class DecodeSession {
    private let language: LanguageModel
    private let runner: BatchRunner
    private let pages: [Int32]
    public let capacity: Int
    public private(set) var position = 0

    /// Tokens of one prefill pass: large enough for full tiles, small enough that a pass stays short.
    static let chunk = 256

    public init(_ language: LanguageModel, capacity: Int, cache: DType = .f32) throws(DeviceError) {
        self.language = language
        let count = KVPool.pages(for: capacity)
        self.capacity = capacity
        pages = (0..<count).map(Int32.init)
        let pool = try KVPool(language.config, pageCount: count, dtype: cache, device: language.device)
        runner = try BatchRunner(
            language, pool: pool, maxTokens: min(Self.chunk, capacity), maxPieces: 1, contextLength: capacity)
    }

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

    /// Reads `ids` and returns what follows the last of them.
    package func advance(_ ids: [Int32], _ wanted: BatchRunner.Wanted, progress: (Int) -> Void = { _ in })
        throws(DeviceError) -> (BatchRunner.Answer, Usage)
    {
        precondition(!ids.isEmpty, "no tokens")
        try checkRoom(ids.count)
        var usage = Usage()
        var answers: [BatchRunner.Answer] = []
        for start in stride(from: 0, to: ids.count, by: Self.chunk) {
            let piece = Array(ids[start..<min(ids.count, start + Self.chunk)])
            let isLast = start + piece.count == ids.count
            answers = try pass(piece, isLast ? .last : .none, wanted, &usage)
            progress(start + piece.count)
        }
        return (answers[0], usage)
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
            for case .logits(let row) in try pass(piece, .all, .logits, &usage) { rows.append(row) }
        }
        return rows
    }

    private func pass(
        _ ids: [Int32], _ outputs: Batch.Outputs, _ wanted: BatchRunner.Wanted, _ usage: inout Usage
    ) throws(DeviceError) -> [BatchRunner.Answer] {
        let batch = Batch([.init(tokens: ids, position: position, pages: pages, outputs: outputs)])
        let (answers, cost) = try runner.run(batch, wanted)
        position += ids.count
        usage += cost
        return answers
    }
}
