import CKernels
import HearthCompute

extension TopK {
    static func runCPU(_ x: Tensor, _ values: Tensor, _ indices: Tensor, _ cpu: CPUDevice) {
        let (n, k) = (x.shape[1], values.shape[1])
        nonisolated(unsafe) let (xs, vs, ids) = (
            x.hostPointer(as: Float.self), values.hostPointer(as: Float.self), indices.hostPointer(as: Int32.self)
        )
        cpu.parallel(x.shape[0], grain: max(1, 65536 / n)) { rows in
            for row in rows { ck_top_k(xs + row * n, Int64(n), Int64(k), vs + row * k, ids + row * k) }
        }
    }
}
