import CKernels
import HearthCompute

extension RoPE {
    static func runCPU(
        _ x: Tensor, _ table: Tensor, _ position: Int, _ layout: Layout, _ y: Tensor, _ cpu: CPUDevice
    ) {
        let (heads, d) = (x.shape[1], x.shape[2])
        nonisolated(unsafe) let (xs, angles, ys) = (
            x.hostPointer(as: Float.self), table.hostPointer(as: Float.self), y.hostPointer(as: Float.self)
        )
        cpu.parallel(x.shape[0] * heads, grain: max(1, 8192 / d)) { rows in
            for row in rows {
                let turn = angles + (position + row / heads) * d
                switch layout {
                case .interleaved: ck_rope_interleaved(xs + row * d, turn, ys + row * d, Int64(d))
                case .halfSplit: ck_rope_half(xs + row * d, turn, ys + row * d, Int64(d))
                }
            }
        }
    }
}
