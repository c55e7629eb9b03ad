import HearthRoofline

extension LayerNorm {
    public static func cost(rows: Int, n: Int) -> Cost {
        let elements = Double(rows) * Double(n)
        return Cost(
            flops: 7 * elements, bytesRead: 4 * elements + 8 * Double(n), bytesWritten: 4 * elements + 8 * Double(rows))
    }
}
