import HearthCompute
import HearthRoofline

extension Scatter {
    public static func cost(rows: Int, width: Int, into dtype: DType) -> Cost {
        let elements = Double(rows) * Double(width)
        return Cost(
            flops: 0, bytesRead: 4 * elements + 4 * Double(rows), bytesWritten: Double(dtype.blockByteCount) * elements)
    }
}
