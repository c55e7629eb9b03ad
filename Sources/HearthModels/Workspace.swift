import HearthCompute
import Synchronization

/// The intermediate tensors of one pass over `tokenCount` tokens, reused from pass to pass of that size.
public final class Workspace: Sendable {
    public let tokenCount: Int
    let x, normed, q, k, v, attended, lse, projected, gate, up: Tensor
    /// What a pass reads when it runs: the tokens, where each stands, and how many keys the last one sees.
    let ids, positions, keyCount: Tensor
    private let inputs: Tensor
    private let written = Mutex(0)
    private let device: Device
    private let vocabularySize: Int
    private let storedLogits = Mutex<Tensor?>(nil)

    public init(_ config: LlamaConfig, tokenCount: Int, device: Device) throws(DeviceError) {
        self.tokenCount = tokenCount
        self.device = device
        vocabularySize = config.vocabularySize
        x = try device.makeTensor(.f32, [tokenCount, config.width])
        normed = try device.makeTensor(.f32, [tokenCount, config.width])
        q = try device.makeTensor(.f32, [tokenCount, config.width])
        k = try device.makeTensor(.f32, [tokenCount, config.kvHeadCount * config.headDim])
        v = try device.makeTensor(.f32, [tokenCount, config.kvHeadCount * config.headDim])
        attended = try device.makeTensor(.f32, [tokenCount, config.width])
        lse = try device.makeTensor(.f32, [1, tokenCount, config.headCount])
        projected = try device.makeTensor(.f32, [tokenCount, config.width])
        gate = try device.makeTensor(.f32, [tokenCount, config.feedForwardWidth])
        up = try device.makeTensor(.f32, [tokenCount, config.feedForwardWidth])
        // Views of one buffer, each at an offset that every device binds: one write a pass.
        let width = (tokenCount + 63) / 64 * 64
        let inputs = try device.makeTensor(.i32, [3, width])
        func row(_ index: Int, _ count: Int) -> Tensor {
            Tensor(inputs.buffer, dtype: .i32, shape: [count], byteOffset: 4 * index * width)
        }
        (ids, positions, keyCount) = (row(0, tokenCount), row(1, tokenCount), row(2, 1))
        self.inputs = inputs
    }

    /// The next pass reads `ids`, which stand at `position`, `position + 1`, ...
    ///
    /// - Precondition: the pass before has ended.
    public func write(_ ids: [Int32], at position: Int) throws(DeviceError) {
        precondition(ids.count == tokenCount, "\(ids.count) tokens for a workspace of \(tokenCount)")
        let width = inputs.shape[1]
        var rows = [Int32](repeating: 0, count: 3 * width)
        for (index, id) in ids.enumerated() {
            (rows[index], rows[width + index]) = (id, Int32(position + index))
        }
        rows[2 * width] = Int32(position + ids.count)
        try inputs.write(rows)
        written.withLock { $0 = position + ids.count }
    }

    /// The keys that the last token written sees.
    var writtenKeys: Int { written.withLock { $0 } }

    /// Room for `rows` rows of logits: one is the rule, all of them only for scoring.
    func logits(rows: Int) throws(DeviceError) -> Tensor {
        if let known = storedLogits.withLock({ $0 }), known.shape[0] == rows { return known }
        let made = try device.makeTensor(.f32, [rows, vocabularySize])
        storedLogits.withLock { $0 = made }
        return made
    }
}
