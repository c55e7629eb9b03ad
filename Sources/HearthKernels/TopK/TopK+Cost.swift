import HearthRoofline

extension TopK {
    public static func cost(rows: Int, n: Int, k: Int) -> Cost {
        Cost(
            flops: Double(rows) * Double(n), bytesRead: 4 * Double(rows) * Double(n),
            bytesWritten: 8 * Double(rows) * Double(k))
    }
}
