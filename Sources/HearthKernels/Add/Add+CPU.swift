import CKernels
import HearthCompute

extension Add {
    static func runCPU(_ a: Tensor, _ b: Tensor, _ y: Tensor, _ cpu: CPUDevice) {
        nonisolated(unsafe) let (xs, zs, ys) = (
            a.hostPointer(as: Float.self), b.hostPointer(as: Float.self), y.hostPointer(as: Float.self)
        )
        cpu.parallel(y.elementCount, grain: 65536) { range in
            let at = range.lowerBound
            ck_add(xs + at, zs + at, ys + at, Int64(range.count))
        }
    }
}
