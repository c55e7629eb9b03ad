import HearthRoofline

extension RoPE {
    public static func cost(tokens: Int, heads: Int, headDim: Int) -> Cost {
        let elements = Double(tokens) * Double(heads) * Double(headDim)
        return Cost(
            flops: 3 * elements, bytesRead: 4 * elements + 4 * Double(tokens) * Double(headDim),
            bytesWritten: 4 * elements)
    }
}
