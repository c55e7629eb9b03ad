import CKernels
import COpenBLAS
import Foundation
import HearthCompute

extension GEMM {
    /// Weight rows of one task: 64 rows of 4096 widened to f32 are 1 MiB, one core's share of a second-level cache.
    private static let rowsPerTask = 64

    /// One row of activations goes through the microkernels; more go through OpenBLAS, with quantised weights widened
    /// panel by panel in front of it. OpenBLAS itself runs on one thread: the tasks are the parallelism.
    static func runCPU(_ p: Problem, _ a: Tensor, _ b: Tensor, _ c: Tensor, _ cpu: CPUDevice) {
        if p.k == 0 {
            c.hostPointer(as: Float.self).update(repeating: 0, count: p.m * p.n)
        } else if p.m == 1, b.isContiguous, a.strides[1] == 1 || p.k == 1 {
            gemv(p, a, b, c, cpu)
        } else if p.weights == .f32 {
            sgemm(p, a, b, c, cpu)
        } else {
            widened(p, a, b, c, cpu)
        }
    }

    private static func gemv(_ p: Problem, _ a: Tensor, _ b: Tensor, _ c: Tensor, _ cpu: CPUDevice) {
        nonisolated(unsafe) let x = UnsafePointer(a.hostPointer(as: Float.self))
        nonisolated(unsafe) let y = c.hostPointer(as: Float.self)
        nonisolated(unsafe) let weights = UnsafeRawPointer(b.hostPointer(as: UInt8.self))
        let rowByteCount = p.weights.byteCount(of: p.k)
        // At least 64 KiB a task, so that handing it out costs nothing beside reading it.
        let grain = max(16, 65536 / rowByteCount)
        cpu.parallel(p.n, grain: grain) { rows in
            let w = weights + rows.lowerBound * rowByteCount
            let (count, k) = (Int64(rows.count), Int64(p.k))
            let out = y + rows.lowerBound
            switch p.weights {
            case .f32: ck_gemv_f32(w.assumingMemoryBound(to: Float.self), x, out, count, k)
            case .f16: ck_gemv_f16(w.assumingMemoryBound(to: UInt16.self), x, out, count, k)
            case .q4_1: ck_gemv_q4_1(w.assumingMemoryBound(to: UInt8.self), x, out, count, k)
            case .q8_0: ck_gemv_q8_0(w.assumingMemoryBound(to: UInt8.self), x, out, count, k)
            case .i32: preconditionFailure("validated before")
            }
        }
    }

    private static func sgemm(_ p: Problem, _ a: Tensor, _ b: Tensor, _ c: Tensor, _ cpu: CPUDevice) {
        guard let left = BLASMatrix(a), let right = BLASMatrix(b) else {
            return strided(p, a, b, c, cpu)
        }
        nonisolated(unsafe) let (x, w) = (left.pointer, right.pointer)
        nonisolated(unsafe) let y = c.hostPointer(as: Float.self)
        let (lda, ldb, leftIsTransposed, rightIsTransposed) = (
            left.leading, right.leading, left.isTransposed, right.isTransposed
        )
        let grain = max(rowsPerTask, (p.n + cpu.threadCount - 1) / cpu.threadCount)
        OpenBLAS.useOneThread()
        cpu.parallel(p.n, grain: grain) { columns in
            let panel = w + columns.lowerBound * (rightIsTransposed ? 1 : ldb)
            cblas_sgemm(
                CblasRowMajor, leftIsTransposed ? CblasTrans : CblasNoTrans,
                rightIsTransposed ? CblasNoTrans : CblasTrans, blasint(p.m), blasint(columns.count), blasint(p.k), 1, x,
                blasint(lda), panel, blasint(ldb), 0, y + columns.lowerBound, blasint(p.n))
        }
    }

    private static func widened(_ p: Problem, _ a: Tensor, _ b: Tensor, _ c: Tensor, _ cpu: CPUDevice) {
        guard let left = BLASMatrix(a) else { return strided(p, a, b, c, cpu) }
        nonisolated(unsafe) let x = left.pointer
        let (lda, leftIsTransposed) = (left.leading, left.isTransposed)
        nonisolated(unsafe) let y = c.hostPointer(as: Float.self)
        nonisolated(unsafe) let weights = UnsafeRawPointer(b.hostPointer(as: UInt8.self))
        let rowByteCount = p.weights.byteCount(of: p.k)
        OpenBLAS.useOneThread()
        cpu.parallel(p.n, grain: rowsPerTask) { rows in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: rows.count * p.k) { panel in
                widen(p.weights, weights + rows.lowerBound * rowByteCount, panel)
                cblas_sgemm(
                    CblasRowMajor, leftIsTransposed ? CblasTrans : CblasNoTrans, CblasTrans, blasint(p.m),
                    blasint(rows.count), blasint(p.k), 1, x, blasint(lda), panel.baseAddress, blasint(p.k), 0,
                    y + rows.lowerBound, blasint(p.n))
            }
        }
    }

    static func widen(_ dtype: DType, _ source: UnsafeRawPointer, _ out: UnsafeMutableBufferPointer<Float>) {
        let count = Int64(out.count)
        switch dtype {
        case .f16: ck_widen_f16(source.assumingMemoryBound(to: UInt16.self), out.baseAddress, count)
        case .q4_1: ck_widen_q4_1(source.assumingMemoryBound(to: UInt8.self), out.baseAddress, count)
        case .q8_0: ck_widen_q8_0(source.assumingMemoryBound(to: UInt8.self), out.baseAddress, count)
        case .f32: memcpy(out.baseAddress!, source, out.count * 4)
        case .i32: preconditionFailure("i32 is no weight type")
        }
    }

    /// Strides that BLAS cannot express, one element at a time.
    private static func strided(_ p: Problem, _ a: Tensor, _ b: Tensor, _ c: Tensor, _ cpu: CPUDevice) {
        nonisolated(unsafe) let x = a.hostPointer(as: Float.self)
        nonisolated(unsafe) let w = UnsafeRawPointer(b.hostPointer(as: UInt8.self))
        nonisolated(unsafe) let y = c.hostPointer(as: Float.self)
        let rowByteCount = p.weights.byteCount(of: p.k)
        let (a0, a1, b0, b1) = (a.strides[0], a.strides[1], b.strides[0], b.strides[1])
        cpu.parallel(p.n, grain: 8) { columns in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: p.k) { row in
                for n in columns {
                    if p.weights == .f32 {
                        let f = w.assumingMemoryBound(to: Float.self) + n * b0
                        for l in 0..<p.k { row[l] = f[l &* b1] }
                    } else {
                        widen(p.weights, w + n * rowByteCount, row)
                    }
                    for m in 0..<p.m {
                        var sum: Float = 0
                        for l in 0..<p.k { sum += x[m &* a0 &+ l &* a1] * row[l] }
                        y[m &* p.n &+ n] = sum
                    }
                }
            }
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

private enum OpenBLAS {
    private static let once: Void = openblas_set_num_threads(1)
    static func useOneThread() { _ = once }
}
