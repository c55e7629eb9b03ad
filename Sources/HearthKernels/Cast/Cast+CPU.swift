import HearthCompute

extension Cast {
    static func runCPU(_ x: Tensor, _ y: Tensor, _ cpu: CPUDevice) {
        nonisolated(unsafe) let source = UnsafeRawPointer(x.hostPointer(as: UInt8.self))
        nonisolated(unsafe) let target = UnsafeMutableRawPointer(y.hostPointer(as: UInt8.self))
        // Whole blocks of every type.
        cpu.parallel(x.elementCount, grain: 16384) { range in
            let from = source + x.dtype.byteCount(of: range.lowerBound)
            let to = target + y.dtype.byteCount(of: range.lowerBound)
            if y.dtype == .f32 {
                let wide = to.assumingMemoryBound(to: Float.self)
                GEMM.widen(x.dtype, from, UnsafeMutableBufferPointer(start: wide, count: range.count))
            } else {
                GEMM.narrow(from.assumingMemoryBound(to: Float.self), to: y.dtype, to, count: range.count)
            }
        }
    }
}
