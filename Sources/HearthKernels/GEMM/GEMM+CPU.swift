import CKernels
import Foundation
import HearthCompute

extension GEMM {
    /// f32 goes the way `GEMMChoice` says, or `forced`; one row of other weights through the row kernels, more rows
    /// through the blocked product with weights widened in front of it.
    static func runCPU(
        _ p: Problem, _ a: Tensor, _ b: Tensor, _ c: Tensor, forced: GEMMChoice.Path? = nil, _ cpu: CPUDevice
    ) {
        if p.k == 0 {
            c.hostPointer(as: Float.self).update(repeating: 0, count: p.m * p.n)
        } else if p.weights == .f32 {
            let path = forced ?? GEMMChoice.choose(p, a, b, cpu).path
            switch path {
            case .row: gemv(p, a, b, c, cpu)
            case .blocked, .packed:
                multiply(m: p.m, n: p.n, k: p.k, Left(a), Right(weights: b, isPacked: path.isPacked), Out(c), cpu)
            case .openBLAS: sgemm(p, a, b, c, cpu)
            }
        } else if p.m == 1, a.strides[1] == 1 || p.k == 1 {
            gemv(p, a, b, c, cpu)
        } else {
            widened(p, a, b, c, cpu)
        }
    }

    /// Weight rows of one task: widened to f32 they stay in a second-level cache.
    private static let rowsPerTask = 128

    private static func widened(_ p: Problem, _ a: Tensor, _ b: Tensor, _ c: Tensor, _ cpu: CPUDevice) {
        let (left, out) = (Left(a), Out(c))
        nonisolated(unsafe) let weights = UnsafeRawPointer(b.hostPointer(as: UInt8.self))
        let rowByteCount = p.weights.byteCount(of: p.k)
        cpu.parallel(p.n, grain: rowsPerTask) { rows in
            cpu.scratch.withTemporary(Float.self, rows.count * p.k) { panel in
                let source = weights + rows.lowerBound * rowByteCount
                widen(p.weights, source, UnsafeMutableBufferPointer(start: panel, count: rows.count * p.k))
                multiplyAlone(
                    m: p.m, n: rows.count, k: p.k, left, Right(panel, .plain(row: 1, column: p.k)),
                    Out(out.pointer + rows.lowerBound * 4, row: out.row), cpu.scratch)
            }
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
            default:
                cpu.scratch.withTemporary(Float.self, p.k) { row in
                    for n in 0..<rows.count {
                        widen(p.weights, w + n * rowByteCount, UnsafeMutableBufferPointer(start: row, count: p.k))
                        ck_gemv_f32(row, x, out + n, 1, k)
                    }
                }
            }
        }
    }

    static func widen(_ dtype: DType, _ source: UnsafeRawPointer, _ out: UnsafeMutableBufferPointer<Float>) {
        let count = Int64(out.count)
        switch dtype {
        case .f16: ck_widen_f16(source.assumingMemoryBound(to: UInt16.self), out.baseAddress, count)
        case .q4_1: ck_widen_q4_1(source.assumingMemoryBound(to: UInt8.self), out.baseAddress, count)
        case .q8_0: ck_widen_q8_0(source.assumingMemoryBound(to: UInt8.self), out.baseAddress, count)
        case .bf16: ck_widen_bf16(source.assumingMemoryBound(to: UInt16.self), out.baseAddress, count)
        case .f32: memcpy(out.baseAddress!, source, out.count * 4)
        case .q4_0, .q5_0, .q4_k, .q5_k, .q6_k:
            ck_quant_widen(dtype.quantFormat!, source.assumingMemoryBound(to: UInt8.self), count, out.baseAddress)
        case .i32, .i8: preconditionFailure("\(dtype) is no weight type")
        }
    }

    /// f32 to a plain type.
    static func narrow(
        _ source: UnsafePointer<Float>, to dtype: DType, _ out: UnsafeMutableRawPointer, count: Int
    ) {
        switch dtype {
        case .f16: ck_narrow_f16(source, out.assumingMemoryBound(to: UInt16.self), Int64(count))
        case .bf16: ck_narrow_bf16(source, out.assumingMemoryBound(to: UInt16.self), Int64(count))
        case .f32: memcpy(out, source, count * 4)
        default: preconditionFailure("\(dtype) is no plain type")
        }
    }
}

extension DType {
    /// The C name of a quantised format; nil for plain types.
    var quantFormat: ck_quant_format_t? {
        switch self {
        case .q4_0: CK_Q4_0
        case .q4_1: CK_Q4_1
        case .q5_0: CK_Q5_0
        case .q8_0: CK_Q8_0
        case .q4_k: CK_Q4_K
        case .q5_k: CK_Q5_K
        case .q6_k: CK_Q6_K
        case .f32, .f16, .bf16, .i32, .i8: nil
        }
    }

    /// The C name of a plain format that kernels load as f32; nil for others.
    var plainFormat: ck_format_t? {
        switch self {
        case .f32: CK_F32
        case .f16: CK_F16
        case .bf16: CK_BF16
        default: nil
        }
    }
}
