import HearthCompute

/// Keys and values of every layer for one sequence, f32, `[1, capacity, Hkv, D]` each.
public final class KVCache: Sendable {
    public let capacity: Int
    let keys: [Tensor]
    let values: [Tensor]

    /// - Throws: `outOfMemory` when `2 * layers * capacity * Hkv * D * 4` bytes do not fit.
    public init(_ config: LlamaConfig, capacity: Int, device: Device) throws(DeviceError) {
        self.capacity = capacity
        var keys: [Tensor] = []
        var values: [Tensor] = []
        for _ in 0..<config.layerCount {
            let shape = [1, capacity, config.kvHeadCount, config.headDim]
            keys.append(try device.makeTensor(.f32, shape))
            values.append(try device.makeTensor(.f32, shape))
        }
        self.keys = keys
        self.values = values
    }
}
