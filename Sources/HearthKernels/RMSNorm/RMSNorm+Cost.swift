import HearthRoofline

extension RMSNorm {
    /// - Parameter adds: with a residual step in front.
    public static func cost(rows: Int, n: Int, adds: Bool = false) -> Cost {
        let elements = Double(rows) * Double(n)
        let passes = adds ? 2.0 : 1
        return Cost(
            flops: (adds ? 5 : 4) * elements, bytesRead: 4 * passes * elements + 4 * Double(n),
            bytesWritten: 4 * passes * elements)
    }
}
