import HearthRoofline

extension SwiGLU {
    public static func cost(_ n: Int) -> Cost {
        Cost(flops: 5 * Double(n), bytesRead: 8 * Double(n), bytesWritten: 4 * Double(n))
    }
}
