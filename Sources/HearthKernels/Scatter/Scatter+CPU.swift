import HearthCompute

extension Scatter {
    static func runCPU(_ x: Tensor, _ rows: Tensor, _ y: Tensor) {
        let (width, rowByteCount) = (x.shape[1], y.dtype.byteCount(of: x.shape[1]))
        let (from, targets) = (x.hostPointer(as: Float.self), rows.hostPointer(as: Int32.self))
        let to = UnsafeMutableRawPointer(y.hostPointer(as: UInt8.self))
        for t in 0..<x.shape[0] where 0..<y.shape[0] ~= Int(targets[t]) {
            GEMM.narrow(
                from + t * width, to: y.dtype, to + Int(targets[t]) * rowByteCount, count: width)
        }
    }
}
