import HearthRoofline

extension Softmax {
    public static func cost(rows: Int, n: Int) -> Cost {
        let elements = Double(rows) * Double(n)
        return Cost(flops: 12 * elements, bytesRead: 4 * elements, bytesWritten: 4 * elements)
    }
}
