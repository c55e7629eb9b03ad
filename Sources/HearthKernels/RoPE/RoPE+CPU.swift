import CKernels
import HearthCompute

extension RoPE {
    static func runCPU(
        _ x: Tensor, _ norm: Norm?, _ table: Tensor, _ positions: Positions, _ layout: Layout,
        _ y: Tensor, _ cpu: CPUDevice
    ) {
        let (heads, d) = (x.shape[1], x.shape[2])
        nonisolated(unsafe) let (xs, angles, ys) = (
            x.hostPointer(as: Float.self), table.hostPointer(as: Float.self), y.hostPointer(as: Float.self)
        )
        nonisolated(unsafe) let weight = norm?.weight.hostPointer(as: Float.self)
        let epsilon = norm?.epsilon ?? 0
        let last = table.shape[0] - 1
        let places =
            switch positions {
            case .from(let first): Array(first..<first + x.shape[0])
            case .each(let list):
                UnsafeBufferPointer(start: list.hostPointer(as: Int32.self), count: x.shape[0]).map {
                    $0 < 0 ? last : min(Int($0), last)
                }
            }
        cpu.parallel(x.shape[0] * heads, grain: max(1, 8192 / d)) { rows in
            for row in rows {
                let turn = angles + places[row / heads] * d
                let to = ys + row * d
                var from = xs + row * d
                if let weight {
                    ck_rms_norm(from, weight, to, Int64(d), epsilon)
                    from = to
                }
                switch layout {
                case .interleaved: ck_rope_interleaved(from, turn, to, Int64(d))
                case .halfSplit: ck_rope_half(from, turn, to, Int64(d))
                }
            }
        }
    }
}
