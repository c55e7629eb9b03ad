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
}
