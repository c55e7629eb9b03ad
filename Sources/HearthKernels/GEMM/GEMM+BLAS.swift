import COpenBLAS
import HearthCompute

/// Products through OpenBLAS, which runs on one thread inside each of our tasks: the tasks are the parallelism.
extension GEMM {
    /// Columns of one task at least.
    private static let columnsPerTask = 64

    /// Why there is no OpenBLAS; nil where there is.
    public static var openBLASProblem: String? { cob_problem().map { String(cString: $0) } }

    /// Why OpenBLAS cannot make this product; nil when it can.
    static func openBLASProblem(_ a: Tensor, _ b: Tensor) -> String? {
        if let openBLASProblem { return openBLASProblem }
        return BLASMatrix(a) == nil || BLASMatrix(b) == nil ? "no dimension with unit stride" : nil
    }

    /// - Precondition: `openBLASProblem` is nil.
    static func sgemm(_ p: Problem, _ a: Tensor, _ b: Tensor, _ c: Tensor, _ cpu: CPUDevice) {
        guard let left = BLASMatrix(a), let right = BLASMatrix(b) else { preconditionFailure("asked before") }
        nonisolated(unsafe) let (x, w) = (left.pointer, right.pointer)
        nonisolated(unsafe) let y = c.hostPointer(as: Float.self)
        let (lda, ldb, leftIsTransposed, rightIsTransposed) = (
            left.leading, right.leading, left.isTransposed, right.isTransposed
        )
        let grain = max(columnsPerTask, (p.n + cpu.threadCount - 1) / cpu.threadCount)
        cpu.parallel(p.n, grain: grain) { columns in
            // b is [n, k], so that BLAS's B is its transpose.
            var call = cob_sgemm_t(
                a_is_transposed: leftIsTransposed, b_is_transposed: !rightIsTransposed, m: Int32(p.m),
                n: Int32(columns.count), k: Int32(p.k), a: x,
                b: w + columns.lowerBound * (rightIsTransposed ? 1 : ldb), lda: Int32(lda), ldb: Int32(ldb),
                c: y + columns.lowerBound, ldc: Int32(p.n))
            cob_sgemm(&call)
        }
    }
}

/// A matrix in BLAS's terms: unit stride in one dimension, a leading dimension in the other.
private struct BLASMatrix {
    let pointer: UnsafePointer<Float>
    let leading: Int
    let isTransposed: Bool

    init?(_ tensor: Tensor) {
        let (rows, columns) = (tensor.shape[0], tensor.shape[1])
        let (s0, s1) = (tensor.strides[0], tensor.strides[1])
        pointer = UnsafePointer(tensor.hostPointer(as: Float.self))
        if s1 == 1 || columns == 1 {
            guard s0 >= columns || rows == 1 else { return nil }
            (leading, isTransposed) = (max(rows == 1 ? columns : s0, columns, 1), false)
        } else if s0 == 1 || rows == 1 {
            guard s1 >= rows else { return nil }
            (leading, isTransposed) = (max(s1, rows, 1), true)
        } else {
            return nil
        }
    }
}
