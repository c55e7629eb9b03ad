import CKernels
import HearthCompute

extension Softmax {
    static func runCPU(_ x: Tensor, _ isLog: Bool, _ y: Tensor, _ cpu: CPUDevice) {
        let n = x.shape[1]
        nonisolated(unsafe) let (xs, ys) = (x.hostPointer(as: Float.self), y.hostPointer(as: Float.self))
        cpu.parallel(x.shape[0], grain: max(1, 4096 / n)) { rows in
            for r in rows {
                isLog
                    ? ck_log_softmax(xs + r * n, ys + r * n, Int64(n)) : ck_softmax(xs + r * n, ys + r * n, Int64(n))
            }
        }
    }
}
