import CKernels
import HearthCompute

extension Attention {
    /// One task a few (query, head) pairs; each is one online-softmax pass over its keys.
    static func runCPU(
        _ p: Problem, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ scale: Float, _ o: Tensor, _ lse: Tensor,
        _ cpu: CPUDevice
    ) {
        nonisolated(unsafe) let (qs, ks, vs) = (
            q.hostPointer(as: Float.self), k.hostPointer(as: Float.self), v.hostPointer(as: Float.self)
        )
        nonisolated(unsafe) let (os, ls) = (o.hostPointer(as: Float.self), lse.hostPointer(as: Float.self))
        let rowStride = Int64(p.hkv * p.d)
        let batchStride = k.shape[1] * p.hkv * p.d
        // About 32 thousand multiply-adds a task.
        let grain = max(1, 16384 / max(1, p.tk * p.d))
        cpu.parallel(p.b * p.tq * p.hq, grain: grain) { rows in
            for row in rows {
                let (head, t, b) = (row % p.hq, row / p.hq % p.tq, row / (p.hq * p.tq))
                let at = b * batchStride + head / (p.hq / p.hkv) * p.d
                ck_attention_row(
                    qs + row * p.d, ks + at, vs + at, os + row * p.d, ls + row, Int64(p.keys(ofRow: t)), rowStride,
                    rowStride, Int64(p.d), scale)
            }
        }
    }
}
