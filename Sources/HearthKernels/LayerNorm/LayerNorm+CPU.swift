import CKernels
import HearthCompute

extension LayerNorm {
    static func runCPU(
        _ x: Tensor, _ weight: Tensor, _ bias: Tensor?, _ epsilon: Float, _ y: Tensor, _ statistics: Tensor,
        _ cpu: CPUDevice
    ) {
        let n = x.shape[1]
        nonisolated(unsafe) let (xs, ws, bs) = (
            x.hostPointer(as: Float.self), weight.hostPointer(as: Float.self), bias?.hostPointer(as: Float.self)
        )
        nonisolated(unsafe) let (ys, out) = (y.hostPointer(as: Float.self), statistics.hostPointer(as: Float.self))
        cpu.parallel(x.shape[0], grain: max(1, 16384 / n)) { rows in
            for r in rows {
                ck_layer_norm(xs + r * n, ws, bs, ys + r * n, Int64(n), epsilon, out + 2 * r, out + 2 * r + 1)
            }
        }
    }
}
