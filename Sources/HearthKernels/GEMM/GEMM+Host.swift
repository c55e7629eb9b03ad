import HearthCompute

/// Products of matrices that the caller holds, for interfaces of other people.
extension GEMM {
    /// Element (i, j) is at `i * row + j * column`.
    package struct HostMatrix {
        let pointer: UnsafePointer<Float>?
        let row, column: Int

        package init(_ pointer: UnsafePointer<Float>?, row: Int, column: Int) {
            (self.pointer, self.row, self.column) = (pointer, row, column)
        }
    }

    /// `C[m, n] = alpha A[m, k] B[k, n] + beta C` in f32, C by rows; nothing of A and B is read where k is 0.
    package static func multiply(
        m: Int, n: Int, k: Int, alpha: Float, _ a: HostMatrix, _ b: HostMatrix, beta: Float,
        _ c: UnsafeMutablePointer<Float>, row: Int, _ cpu: CPUDevice
    ) {
        let nothing = UnsafePointer(c)
        var left = Left(a.pointer ?? nothing, row: a.row, column: a.column)
        left.scale = alpha
        var out = Out(c, row: row)
        out.beta = beta
        multiply(
            m: m, n: n, k: k, left, Right(b.pointer ?? nothing, .plain(row: b.row, column: b.column)), out, cpu)
    }
}
