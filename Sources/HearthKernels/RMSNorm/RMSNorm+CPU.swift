import CKernels
import HearthCompute

extension RMSNorm {
    static func runCPU(
        _ x: Tensor, addend: Tensor?, _ weight: Tensor, _ epsilon: Float, _ y: Tensor, _ cpu: CPUDevice
    ) {
        let n = x.shape[1]
        nonisolated(unsafe) let (xs, ws, ys) = (
            x.hostPointer(as: Float.self), weight.hostPointer(as: Float.self), y.hostPointer(as: Float.self)
        )
        nonisolated(unsafe) let addends = addend?.hostPointer(as: Float.self)
        cpu.parallel(x.shape[0], grain: max(1, 16384 / n)) { rows in
            for row in rows {
                if let addends { ck_add(xs + row * n, addends + row * n, xs + row * n, Int64(n)) }
                ck_rms_norm(xs + row * n, ws, ys + row * n, Int64(n), epsilon)
            }
        }
    }
}
