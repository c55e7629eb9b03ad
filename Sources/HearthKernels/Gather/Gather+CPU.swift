import HearthCompute

extension Gather {
    static func runCPU(_ ids: Tensor, _ table: Tensor, _ y: Tensor) {
        let (rows, width) = (table.shape[0], table.shape[1])
        let rowByteCount = table.dtype.byteCount(of: width)
        let id = ids.hostPointer(as: Int32.self)
        let source = UnsafeRawPointer(table.hostPointer(as: UInt8.self))
        for token in 0..<ids.shape[0] {
            let out = UnsafeMutableBufferPointer(start: y.hostPointer(as: Float.self) + token * width, count: width)
            let row = Int(id[token])
            if row >= 0, row < rows {
                GEMM.widen(table.dtype, source + row * rowByteCount, out)
            } else {
                out.update(repeating: 0)
            }
        }
    }
}
