import HearthRoofline

extension SwiGLU {
    public static func cost(_ n: Int) -> Cost {
        Cost(flops: 5 * Double(n), bytesRead: 8 * Double(n), bytesWritten: 4 * Double(n))
    }

    /// Of both products of size `p` and the gate in one kernel: x is read once, no product is written.
    static func cost(_ p: GEMM.Problem) -> Cost {
        let elements = Double(p.m) * Double(p.n)
        return Cost(
            flops: (4 * Double(p.k) + 5) * elements,
            bytesRead: Double(4 * p.m * p.k + 2 * p.weights.byteCount(of: p.n * p.k)), bytesWritten: 4 * elements)
    }
}
