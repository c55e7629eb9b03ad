import HearthCompute
import HearthRoofline

extension Scatter {
    public static func cost(rows: Int, width: Int, into dtype: DType) -> Cost {
        Cost(
            flops: 0, bytesRead: Double(4 * rows * width + 4 * rows),
            bytesWritten: Double(dtype.byteCount(of: rows * width)))
    }
}
