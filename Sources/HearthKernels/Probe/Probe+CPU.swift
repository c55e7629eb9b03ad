import CKernels
import HearthCompute
import HearthRoofline
import Synchronization

extension Probe {
    /// Every thread runs `rounds` in pieces, so that none waits for another at the end.
    static func multiplyCPU(_ arithmetic: Arithmetic, _ rounds: Int, _ cpu: CPUDevice) -> Double {
        let probe =
            switch arithmetic {
            case .f32: ck_probe_fma
            case .bf16: ck_probe_bf16
            case .int8: ck_probe_int8
            case .f16Matrix: nil as (@convention(c) (Int64) -> Double)?
            }
        guard let probe else { return 0 }
        let pieces = 8 * cpu.threadCount
        let flops = Mutex(0.0)
        cpu.parallel(pieces, grain: 1) { range in
            let done = probe(Int64(rounds / 8 * range.count))
            flops.withLock { $0 += done }
        }
        return flops.withLock { $0 }
    }

    static func streamCPU(_ stream: Stream, _ a: Tensor, _ b: Tensor, _ c: Tensor, _ cpu: CPUDevice) {
        nonisolated(unsafe) let (xs, ys, zs) = (
            a.hostPointer(as: Float.self), b.hostPointer(as: Float.self), c.hostPointer(as: Float.self)
        )
        cpu.parallel(a.elementCount, grain: 1 << 18) { range in
            let (at, n) = (range.lowerBound, Int64(range.count))
            switch stream {
            case .copy: ck_probe_copy(xs + at, zs + at, n)
            case .triad: ck_probe_triad(xs + at, ys + at, zs + at, 3, n)
            // The sum is stored so that the loop stays.
            case .read: zs[at] = ck_probe_read(xs + at, n)
            }
        }
    }
}
