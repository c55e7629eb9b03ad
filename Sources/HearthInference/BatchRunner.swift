import Foundation
import HearthCompute
import HearthKernels
import HearthModels
import HearthRoofline

/// Runs batches on a model's device: encodes, submits, waits, and brings back what follows each piece.
///
/// One pass at a time; not for two threads at once.
package final class BatchRunner {
    private let language: LanguageModel
    let pool: KVPool
    private let workspace: Workspace
    /// Decode steps as they were recorded, by how many sequences they take.
    private var recorded: [Int: RecordedStep] = [:]

    private struct RecordedStep {
        /// The most keys that it serves.
        let keys: Int
        let wanted: Wanted
        let work: RecordedWork
        let read: Reader
    }
    private typealias Reader = () throws(DeviceError) -> [Answer]

    /// - Parameters:
    ///   - maxTokens: of one pass. maxPieces: sequences of one pass.
    ///   - contextLength: tokens of the longest sequence.
    init(
        _ language: LanguageModel, pool: KVPool, maxTokens: Int, maxPieces: Int, contextLength: Int
    ) throws(DeviceError) {
        (self.language, self.pool) = (language, pool)
        workspace = try Workspace(
            language.config, maxTokens: maxTokens, maxPieces: maxPieces,
            pagesPerSequence: KVPool.pages(for: contextLength), device: language.device)
    }

    /// What is brought back from the device: as little as the sampler can do with.
    package enum Wanted: Hashable {
        case largest
        /// The k largest; more than `TopK.maximum` bring all.
        case likeliest(Int)
        case logits
        /// What logits are made of, for embeddings.
        case hidden
    }

    /// What follows one row.
    package enum Answer {
        case token(Int32)
        /// Likeliest first, the first of equals first.
        case likeliest([Candidate])
        case logits([Float])
        case hidden([Float])
    }

    /// Answers for the output rows of `batch`, in its order.
    func run(_ batch: Batch, _ wanted: Wanted) throws(DeviceError) -> ([Answer], DecodeSession.Usage) {
        let start = ContinuousClock.now
        try workspace.write(batch)
        let (submission, read): (Submission, Reader)
        var kernels: [KernelCost]
        if batch.isDecodeStep, language.device.canReplay {
            let step = try recordedStep(batch, wanted)
            (submission, read, kernels) = (try step.work.submit(), step.read, step.work.kernels)
        } else {
            var encoder = try language.device.makeEncoder()
            read = try encode(batch, keys: nil, wanted, &encoder)
            submission = try encoder.submit()
            kernels = submission.kernels
        }
        let deviceTime = try submission.wait()
        if batch.isDecodeStep {
            // Encoded for more keys than there are, or for the most of them.
            var costs = language.model.stepAttentionCosts(batch)[...]
            for index in kernels.indices where kernels[index].kernel == "attention" {
                if let cost = costs.popFirst() { kernels[index].cost = cost }
            }
        }
        let answers = try read()
        return (
            answers,
            DecodeSession.Usage(
                seconds: (ContinuousClock.now - start).seconds, deviceSeconds: deviceTime.seconds, submissions: 1,
                kernels: kernels)
        )
    }

    /// One recording serves all that have as many keys or fewer: those of one split, which needs no joining, or a multiple of
    /// 512. Splits without keys end at once, a new recording takes the host milliseconds.
    private static func keysOfRecording(_ keys: Int) -> Int {
        keys <= Attention.keysPerSplit ? Attention.keysPerSplit : (keys + 511) / 512 * 512
    }

    private func recordedStep(_ batch: Batch, _ wanted: Wanted) throws(DeviceError) -> RecordedStep {
        let (count, keys) = (batch.singleCount, batch.pieces.map(\.keyCount).max()!)
        if let step = recorded[count], step.wanted == wanted, keys <= step.keys, !step.work.isOutdated { return step }
        let most = min(workspace.pagesPerSequence * KVPool.pageKeys, Self.keysOfRecording(keys))
        var encoder = try language.device.makeReplayEncoder()
        let read = try encode(batch, keys: most, wanted, &encoder)
        let step = RecordedStep(keys: most, wanted: wanted, work: try encoder.record(), read: read)
        recorded[count] = step
        return step
    }

    private func encode(
        _ batch: Batch, keys: Int?, _ wanted: Wanted, _ encoder: inout CommandEncoder
    ) throws(DeviceError) -> Reader {
        let output = try language.model.encode(
            batch, keys: keys, output: wanted == .hidden ? .hidden : .logits, pool: pool, workspace: workspace, &encoder
        )
        guard let output else { return { () throws(DeviceError) in [] } }
        return try encodeChoice(wanted, of: output, &encoder)
    }

    private func encodeChoice(
        _ wanted: Wanted, of logits: Tensor, _ encoder: inout CommandEncoder
    ) throws(DeviceError) -> Reader {
        let (device, rows) = (encoder.device, logits.shape[0])
        switch wanted {
        case .largest:
            let index = try device.makeTensor(.i32, [rows], in: .host)
            try ArgMax.encode(logits, into: index, &encoder)
            return { () throws(DeviceError) in try index.read(as: Int32.self).map(Answer.token) }
        case .likeliest(let k) where k <= TopK.maximum && language.config.logitSoftcap == nil:
            // Both in one buffer, whose halves begin where every device binds: one read.
            let count = min(k, logits.shape[1])
            let width = (rows * count + 63) / 64 * 64
            let both = try device.makeTensor(.i32, [2, width], in: .host)
            let values = Tensor(both.buffer, dtype: .f32, shape: [rows, count])
            let ids = Tensor(both.buffer, dtype: .i32, shape: [rows, count], byteOffset: 4 * width)
            try TopK.encode(logits, into: values, indices: ids, &encoder)
            return { () throws(DeviceError) in
                let words = try both.read(as: UInt32.self)
                return (0..<rows).map { row in
                    .likeliest(
                        (row * count..<(row + 1) * count).map {
                            Candidate(id: Int32(bitPattern: words[width + $0]), logit: Float(bitPattern: words[$0]))
                        })
                }
            }
        case .hidden, .likeliest, .logits:
            let softcap = wanted == .hidden ? nil : language.config.logitSoftcap
            return { () throws(DeviceError) in
                let all = try logits.read(as: Float.self)
                let width = all.count / rows
                return (0..<rows).map { row in
                    let values = all[row * width..<(row + 1) * width]
                    if wanted == .hidden { return .hidden(Array(values)) }
                    return .logits(softcap.map { cap in values.map { cap * tanhf($0 / cap) } } ?? Array(values))
                }
            }
        }
    }
}

/// A token that may come next.
public struct Candidate: Sendable, Hashable {
    public let id: Int32
    public let logit: Float

    public init(id: Int32, logit: Float) { (self.id, self.logit) = (id, logit) }
}
