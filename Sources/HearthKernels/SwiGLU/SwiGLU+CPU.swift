import CKernels
import HearthCompute

extension SwiGLU {
    static func runCPU(
        _ gate: Tensor, _ up: Tensor, _ activation: GEMM.Activation, _ y: Tensor, _ cpu: CPUDevice
    ) {
        nonisolated(unsafe) let (gs, us, ys) = (
            gate.hostPointer(as: Float.self), up.hostPointer(as: Float.self), y.hostPointer(as: Float.self)
        )
        cpu.parallel(y.elementCount, grain: 16384) { range in
            let at = range.lowerBound
            ck_gate(activation.code, gs + at, us + at, ys + at, Int64(range.count))
        }
    }
}
