import HearthRoofline

extension Quantise {
    public static func cost(elements: Int, groups: Int) -> Cost {
        Cost(
            flops: 2 * Double(elements), bytesRead: 4 * Double(elements) + 8 * Double(groups),
            bytesWritten: 4 * Double(elements))
    }
}
