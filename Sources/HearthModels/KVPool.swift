import HearthCompute
import HearthKernels

/// Keys and values of every layer in pages that sequences share: `[pages, page keys, Hkv, D]` each.
///
/// Who owns which page is the caller's business; a pass writes to the pages its batch names.
///
/// - Source: Kwon et al., arXiv 2309.06180.
public final class KVPool: Sendable {
    /// A multiple of every device's vector of keys; a prefix is shared by whole pages.
    public static let pageKeys = 64

    /// What keys and values may be stored as.
    public static let dtypes: [DType] = [.f16, .q8_0, .f32]

    public let pageCount: Int
    public let dtype: DType
    let keys: [Tensor]
    let values: [Tensor]

    /// - Parameter dtype: f32, f16 or q8_0.
    /// - Throws: `invalid` for another type or rows that are not whole blocks of it; `outOfMemory` when `pageCount` pages of
    ///   `pageByteCount` do not fit.
    public init(_ config: ModelConfig, pageCount: Int, dtype: DType, device: Device) throws(DeviceError) {
        guard Self.dtypes.contains(dtype) else {
            throw DeviceError(.invalid, "KV cache: \(dtype) is not one of f32, f16, q8_0")
        }
        guard dtype != .q8_0 || config.headDim % 32 == 0 && config.kvWidth % 64 == 0 else {
            throw DeviceError(
                .invalid, "KV cache: q8_0 needs heads of whole 32 and rows of whole 64, not \(config.headDim)")
        }
        self.pageCount = pageCount
        self.dtype = dtype
        let shape = [pageCount, Self.pageKeys, config.kvHeadCount, config.headDim]
        var tensors: [Tensor] = []
        for _ in 0..<2 * config.layerCount { tensors.append(try device.makeTensor(dtype, shape)) }
        keys = Array(tensors[..<config.layerCount])
        values = Array(tensors[config.layerCount...])
    }

    /// Bytes of one page over all layers.
    public static func pageByteCount(_ config: ModelConfig, _ dtype: DType) -> Int {
        2 * config.layerCount * dtype.byteCount(of: pageKeys * config.kvWidth)
    }

    /// Pages that `count` tokens take.
    public static func pages(for count: Int) -> Int { (count + pageKeys - 1) / pageKeys }
}
