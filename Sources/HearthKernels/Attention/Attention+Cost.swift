import HearthRoofline

extension Attention {
    public static func cost(_ p: Problem) -> Cost {
        let attended = (0..<p.tq).reduce(0) { $0 + p.keys(ofRow: $1).count }
        let rows = p.b * p.tq * p.hq
        let readKeys = p.tq == 0 ? 0 : p.keys(ofRow: p.tq - 1).upperBound - p.keys(ofRow: 0).lowerBound
        return Cost(
            flops: 4 * Double(p.b * p.hq * p.d) * Double(attended),
            bytesRead: Double(p.queries.byteCount(of: rows * p.d))
                + 2 * Double(p.keys.byteCount(of: p.b * p.hkv * p.d)) * Double(readKeys),
            bytesWritten: Double(4 * rows * (p.d + 1)))
    }
}
