import HearthCompute
import Synchronization

/// The intermediate tensors of one pass over `tokenCount` tokens, reused from pass to pass of that size.
public final class Workspace: Sendable {
    public let tokenCount: Int
    let x, normed, q, k, attended, lse, projected, gate, up: Tensor
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
        attended = try device.makeTensor(.f32, [tokenCount, config.width])
        lse = try device.makeTensor(.f32, [1, tokenCount, config.headCount])
        projected = try device.makeTensor(.f32, [tokenCount, config.width])
        gate = try device.makeTensor(.f32, [tokenCount, config.feedForwardWidth])
        up = try device.makeTensor(.f32, [tokenCount, config.feedForwardWidth])
    }

    /// Room for `rows` rows of logits: one is the rule, all of them only for scoring.
    func logits(rows: Int) throws(DeviceError) -> Tensor {
        if let known = storedLogits.withLock({ $0 }), known.shape[0] == rows { return known }
        let made = try device.makeTensor(.f32, [rows, vocabularySize])
        storedLogits.withLock { $0 = made }
        return made
    }
}
