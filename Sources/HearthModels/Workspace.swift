import HearthCompute
import Synchronization

/// The intermediate tensors of passes over at most `maxTokens` tokens of `maxPieces` sequences.
///
/// A pass uses the first rows of each. Not for two passes at once.
public final class Workspace: Sendable {
    public let maxTokens, maxPieces, pagesPerSequence: Int
    let x, normed, q, k, v, attended, lse, projected, gate, up, selected: Tensor
    let statistics: Tensor
    /// What a pass reads when it runs: the tokens, where each stands, which row of the pool it gets, which rows become logits,
    /// and how many keys each single token sees and in which pages.
    let ids, positions, slots, outputs, keyCounts, pages: Tensor
    /// Keys and pages of the longer pieces, each on its own: views that every device binds.
    private let pieceKeyCounts, piecePages: Tensor
    private let inputs: Tensor
    private let device: Device
    private let vocabularySize: Int
    private let storedLogits = Mutex<Tensor?>(nil)

    public init(
        _ config: ModelConfig, maxTokens: Int, maxPieces: Int, pagesPerSequence: Int, device: Device
    ) throws(DeviceError) {
        (self.maxTokens, self.maxPieces, self.pagesPerSequence) = (maxTokens, maxPieces, pagesPerSequence)
        self.device = device
        vocabularySize = config.vocabularySize
        func rows(_ width: Int) throws(DeviceError) -> Tensor { try device.makeTensor(.f32, [maxTokens, width]) }
        (x, normed, projected) = (try rows(config.width), try rows(config.width), try rows(config.width))
        (q, attended) = (try rows(config.queryWidth), try rows(config.queryWidth))
        (k, v) = (try rows(config.kvWidth), try rows(config.kvWidth))
        (gate, up) = (try rows(config.feedForwardWidth), try rows(config.feedForwardWidth))
        (lse, statistics) = (try rows(config.headCount), try rows(2))
        selected = try rows(config.width)
        // Views of one buffer, each at an offset that every device binds: one write a pass.
        let aligned = Self.aligned(pagesPerSequence)
        let counts = [
            maxTokens, maxTokens, maxTokens, maxTokens, maxPieces, maxPieces * pagesPerSequence,
            maxPieces * Self.alignment, maxPieces * aligned,
        ]
        let starts = Self.starts(counts)
        let inputs = try device.makeTensor(.i32, [starts.last!])
        func view(_ index: Int, _ shape: [Int]) -> Tensor {
            Tensor(inputs.buffer, dtype: .i32, shape: shape, byteOffset: 4 * starts[index])
        }
        (ids, positions, slots) = (view(0, [maxTokens]), view(1, [maxTokens]), view(2, [maxTokens]))
        (outputs, keyCounts, pages) = (
            view(3, [maxTokens]), view(4, [maxPieces]), view(5, [maxPieces, pagesPerSequence])
        )
        (pieceKeyCounts, piecePages) = (view(6, [maxPieces, Self.alignment]), view(7, [maxPieces, aligned]))
        self.inputs = inputs
    }

    /// Elements of i32 between places that every device binds.
    private static let alignment = 64
    private static func aligned(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }

    private static func starts(_ counts: [Int]) -> [Int] {
        counts.reduce(into: [0]) { $0.append($0.last! + aligned($1)) }
    }

    /// How many keys piece `index` has, `[1]`, and in which pages, `[1, n]`.
    func keys(ofPiece index: Int) -> (count: Tensor, pages: Tensor) {
        func view(_ rows: Tensor, _ shape: [Int]) -> Tensor {
            Tensor(
                inputs.buffer, dtype: .i32, shape: shape, byteOffset: rows.byteOffset + 4 * index * rows.shape[1])
        }
        return (view(pieceKeyCounts, [1]), view(piecePages, [1, pagesPerSequence]))
    }

    /// The next pass reads `batch`.
    ///
    /// - Precondition: the pass before has ended, and the batch fits.
    public func write(_ batch: Batch) throws(DeviceError) {
        precondition(
            batch.tokenCount <= maxTokens && batch.pieces.count <= maxPieces,
            "\(batch.tokenCount) tokens of \(batch.pieces.count) sequences for a workspace of \(maxTokens), \(maxPieces)"
        )
        var words = [Int32](repeating: 0, count: inputs.elementCount)
        func start(_ view: Tensor) -> Int { view.byteOffset / 4 }
        var row = 0
        for (index, piece) in batch.pieces.enumerated() {
            precondition(
                piece.pages.count <= pagesPerSequence && KVPool.pages(for: piece.keyCount) <= piece.pages.count,
                "\(piece.keyCount) keys in \(piece.pages.count) pages of at most \(pagesPerSequence)")
            for (offset, token) in piece.tokens.enumerated() {
                let position = piece.position + offset
                words[start(ids) + row] = token
                words[start(positions) + row] = Int32(position)
                let page = piece.pages[position / KVPool.pageKeys]
                words[start(slots) + row] = page * Int32(KVPool.pageKeys) + Int32(position % KVPool.pageKeys)
                row += 1
            }
            let isSingle = index < batch.singleCount
            let (counts, places) = isSingle ? (keyCounts, pages) : (pieceKeyCounts, piecePages)
            words[start(counts) + index * (isSingle ? 1 : Self.alignment)] = Int32(piece.keyCount)
            for (place, page) in piece.pages.enumerated() {
                words[start(places) + index * places.shape[1] + place] = page
            }
        }
        for (index, row) in batch.outputRows.enumerated() { words[start(outputs) + index] = Int32(row) }
        try inputs.write(words)
    }

    /// Room for `rows` rows of logits, kept until more are wanted.
    func logits(rows: Int) throws(DeviceError) -> Tensor {
        if let known = storedLogits.withLock({ $0 }), known.shape[0] >= rows { return known.rows(0..<rows) }
        let made = try device.makeTensor(.f32, [rows, vocabularySize])
        storedLogits.withLock { $0 = made }
        return made
    }
}
