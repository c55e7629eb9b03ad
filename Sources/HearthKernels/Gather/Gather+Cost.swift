import HearthCompute
import HearthRoofline

extension Gather {
    public static func cost(tokens: Int, width: Int, table: DType) -> Cost {
        let elements = Double(tokens) * Double(width)
        return Cost(
            flops: table.isQuantised ? 2 * elements : 0,
            bytesRead: 4 * Double(tokens) + elements / Double(table.blockLength) * Double(table.blockByteCount),
            bytesWritten: 4 * elements)
    }
}
