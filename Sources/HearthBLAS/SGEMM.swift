import CBLAS
import Foundation
import HearthCompute
import HearthKernels

/// The CPU that C programs compute on; opened at the first call.
private let cpu: CPUDevice? = {
    let threads = ProcessInfo.processInfo.environment["HEARTH_THREADS"].flatMap(Int.init)
    guard case .cpu(let cpu) = try? Device.open(.cpu, threadCount: threads.flatMap { $0 >= 1 ? $0 : nil }).backend
    else { return nil }
    return cpu
}()

/// `cblas_sgemm` of hearth_cblas.h. Sums in an order that does not depend on m, n, threads or layout.
@_cdecl("cblas_sgemm")
public func sgemm(
    _ layout: UInt32, _ transA: UInt32, _ transB: UInt32, _ m: Int32, _ n: Int32, _ k: Int32, _ alpha: Float,
    _ a: UnsafePointer<Float>?, _ lda: Int32, _ b: UnsafePointer<Float>?, _ ldb: Int32, _ beta: Float,
    _ c: UnsafeMutablePointer<Float>?, _ ldc: Int32
) {
    func refuse(_ argument: Int32, _ message: String) { hcblas_report(argument, "cblas_sgemm", message) }
    guard layout == CblasRowMajor.rawValue || layout == CblasColMajor.rawValue else {
        return refuse(1, "layout \(layout) is neither CblasRowMajor nor CblasColMajor")
    }
    let transposes = [CblasNoTrans.rawValue, CblasTrans.rawValue, CblasConjTrans.rawValue]
    guard transposes.contains(transA) else { return refuse(2, "\(transA) is no CBLAS_TRANSPOSE") }
    guard transposes.contains(transB) else { return refuse(3, "\(transB) is no CBLAS_TRANSPOSE") }
    // Rows first: the product of the transposes, whose operands change places.
    let isRowMajor = layout == CblasRowMajor.rawValue
    let first = ColumnMajor(
        isRowMajor ? b : a, isRowMajor ? ldb : lda, (isRowMajor ? transB : transA) != CblasNoTrans.rawValue)
    let second = ColumnMajor(
        isRowMajor ? a : b, isRowMajor ? lda : ldb, (isRowMajor ? transA : transB) != CblasNoTrans.rawValue)
    let (rows, columns) = isRowMajor ? (n, m) : (m, n)
    if rows < 0 { return refuse(4, "m is \(rows)") }
    if columns < 0 { return refuse(5, "n is \(columns)") }
    if k < 0 { return refuse(6, "k is \(k)") }
    if first.leading < max(1, first.isTransposed ? k : rows) { return refuse(9, "lda is \(first.leading)") }
    if second.leading < max(1, second.isTransposed ? columns : k) { return refuse(11, "ldb is \(second.leading)") }
    if ldc < max(1, rows) { return refuse(14, "ldc is \(ldc)") }
    guard rows > 0, columns > 0, let c, let cpu else { return }
    // In rows, C^T = op(B)^T op(A)^T.
    GEMM.multiply(
        m: Int(columns), n: Int(rows), k: alpha == 0 ? 0 : Int(k), alpha: alpha, second.transposed, first.transposed,
        beta: beta, c, row: Int(ldc), cpu)
}

/// A matrix as Fortran stores it.
private struct ColumnMajor {
    let pointer: UnsafePointer<Float>?
    let leading: Int32
    let isTransposed: Bool

    init(_ pointer: UnsafePointer<Float>?, _ leading: Int32, _ isTransposed: Bool) {
        (self.pointer, self.leading, self.isTransposed) = (pointer, leading, isTransposed)
    }

    /// The transpose of op(matrix), by rows.
    var transposed: GEMM.HostMatrix {
        GEMM.HostMatrix(pointer, row: isTransposed ? 1 : Int(leading), column: isTransposed ? Int(leading) : 1)
    }
}
