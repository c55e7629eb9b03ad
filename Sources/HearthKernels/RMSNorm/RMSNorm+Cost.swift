import HearthRoofline

extension RMSNorm {
    public static func cost(rows: Int, n: Int) -> Cost {
        Cost(
            flops: 4 * Double(rows) * Double(n), bytesRead: 4 * Double(rows) * Double(n) + 4 * Double(n),
            bytesWritten: 4 * Double(rows) * Double(n))
    }
}
