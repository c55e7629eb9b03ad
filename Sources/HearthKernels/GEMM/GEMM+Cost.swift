import HearthCompute
import HearthRoofline

extension GEMM {
    private static let names = Dictionary(uniqueKeysWithValues: DType.allCases.map { ($0, "gemm.\($0)") })
    /// The kernel's name in reports.
    static func name(_ weights: DType) -> String { names[weights]! }

    public static func cost(_ problem: Problem) -> Cost {
        let (m, n, k) = (problem.m, problem.n, problem.k)
        let weights = problem.weights.byteCount(of: n * k)
        return Cost(
            flops: 2 * Double(m) * Double(n) * Double(k),
            bytesRead: Double(problem.activations.byteCount(of: m * k) + weights),
            bytesWritten: Double(problem.outputs.byteCount(of: m * n)))
    }
}
