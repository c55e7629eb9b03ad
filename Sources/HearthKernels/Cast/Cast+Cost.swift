import HearthCompute
import HearthRoofline

extension Cast {
    public static func cost(elements: Int, from: DType, to: DType) -> Cost {
        Cost(bytesRead: Double(from.byteCount(of: elements)), bytesWritten: Double(to.byteCount(of: elements)))
    }
}
