import HearthRoofline

extension Attention {
    public static func cost(_ p: Problem) -> Cost {
        let attended = (0..<p.tq).reduce(0) { $0 + p.keys(ofRow: $1).count }
        let queries = Double(4 * p.b * p.tq * p.hq * p.d)
        let readKeys = p.tq == 0 ? 0 : p.keys(ofRow: p.tq - 1).upperBound - p.keys(ofRow: 0).lowerBound
        return Cost(
            flops: 4 * Double(p.b * p.hq * p.d) * Double(attended),
            bytesRead: queries + Double(8 * p.b * p.hkv * p.d) * Double(readKeys),
            bytesWritten: queries + Double(4 * p.b * p.tq * p.hq))
    }
}
