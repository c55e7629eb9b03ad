import HearthCompute
import HearthRoofline

extension RoPE {
    /// - Parameter normalises: with the heads' normalisation in front.
    public static func cost(tokens: Int, heads: Int, headDim: Int, normalises: Bool = false) -> Cost {
        let elements = Double(tokens) * Double(heads) * Double(headDim)
        return Cost(
            flops: (normalises ? 7 : 3) * elements,
            bytesRead: 4 * elements + 4 * Double(tokens) * Double(headDim) + (normalises ? 4 * Double(headDim) : 0),
            bytesWritten: 4 * elements)
    }

    /// Of an append by one kernel: the parts, but the table is read once and rotated keys are written once, to the cache.
    static func appendCost(tokens: Int, heads: (q: Int, kv: Int), headDim: Int, cache: DType) -> Cost {
        let new = tokens * heads.kv * headDim
        let turned = cost(tokens: tokens, heads: heads.q + heads.kv, headDim: headDim)
        return Cost(
            flops: turned.flops, bytesRead: turned.bytesRead + Double(4 * new + 4 * tokens),
            bytesWritten: Double(4 * tokens * heads.q * headDim + 2 * cache.byteCount(of: new)))
    }
}
