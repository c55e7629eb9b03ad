import HearthCompute
import HearthRoofline

extension GEMM {
    public static func cost(_ problem: Problem) -> Cost {
        let (m, n, k) = (problem.m, problem.n, problem.k)
        let weights = problem.weights.byteCount(of: n * k)
        return Cost(
            flops: 2 * Double(m) * Double(n) * Double(k), bytesRead: Double(4 * m * k + weights),
            bytesWritten: Double(4 * m * n))
    }
}
