import CKernels
import HearthCompute

extension Quantise {
    static func runCPU(
        _ x: Tensor, _ scales: Tensor, _ zeros: Tensor, _ range: ClosedRange<Int32>, _ y: Tensor, _ cpu: CPUDevice
    ) {
        let n = x.shape[1]
        nonisolated(unsafe) let (xs, ys) = (x.hostPointer(as: Float.self), y.hostPointer(as: Int32.self))
        nonisolated(unsafe) let (ss, zs) = (scales.hostPointer(as: Float.self), zeros.hostPointer(as: Int32.self))
        cpu.parallel(x.shape[0], grain: max(1, 16384 / max(1, n))) { groups in
            for g in groups {
                ck_quantise(xs + g * n, ys + g * n, Int64(n), ss[g], zs[g], range.lowerBound, range.upperBound)
            }
        }
    }

    static func runInverseCPU(_ x: Tensor, _ scales: Tensor, _ zeros: Tensor, _ y: Tensor, _ cpu: CPUDevice) {
        let n = x.shape[1]
        nonisolated(unsafe) let (xs, ys) = (x.hostPointer(as: Int32.self), y.hostPointer(as: Float.self))
        nonisolated(unsafe) let (ss, zs) = (scales.hostPointer(as: Float.self), zeros.hostPointer(as: Int32.self))
        cpu.parallel(x.shape[0], grain: max(1, 16384 / max(1, n))) { groups in
            for g in groups { ck_dequantise(xs + g * n, ys + g * n, Int64(n), ss[g], zs[g]) }
        }
    }
}
