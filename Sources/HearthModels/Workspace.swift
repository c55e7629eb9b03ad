import HearthCompute
import Synchronization

/// The intermediate tensors of one pass over `tokenCount` tokens, reused from pass to pass of that size.
public final class Workspace: Sendable {
    public let tokenCount: Int
    let x, normed, q, k, v, attended, lse, projected, gate, up: Tensor
    /// What a pass reads when it runs: the tokens, where each stands, and how many keys the last one sees.
    let ids, positions, keyCount: Tensor
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
        ids = try device.makeTensor(.i32, [tokenCount])
        positions = try device.makeTensor(.i32, [tokenCount])
        keyCount = try device.makeTensor(.i32, [1])
    }

    /// The next pass reads `ids`, which stand at `position`, `position + 1`, ...
    ///
    /// - Precondition: the pass before has ended.
    public func write(_ ids: [Int32], at position: Int) throws(DeviceError) {
        try self.ids.write(ids)
        try positions.write(ids.indices.map { Int32(position + $0) })
        try keyCount.write([Int32(position + ids.count)])
    }

    /// Room for `rows` rows of logits: one is the rule, all of them only for scoring.
    func logits(rows: Int) throws(DeviceError) -> Tensor {
        if let known = storedLogits.withLock({ $0 }), known.shape[0] == rows { return known }
        let made = try device.makeTensor(.f32, [rows, vocabularySize])
        storedLogits.withLock { $0 = made }
        return made
    }
}
