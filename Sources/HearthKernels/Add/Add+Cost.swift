import HearthRoofline

extension Add {
    public static func cost(_ n: Int) -> Cost {
        Cost(flops: Double(n), bytesRead: 8 * Double(n), bytesWritten: 4 * Double(n))
    }
}
