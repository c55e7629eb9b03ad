import HearthRoofline

extension ArgMax {
    public static func cost(rows: Int, n: Int) -> Cost {
        Cost(
            flops: Double(rows) * Double(n), bytesRead: 4 * Double(rows) * Double(n), bytesWritten: 4 * Double(rows))
    }
}
