import CKernels
import HearthCompute

extension Scatter {
    static func runCPU(_ x: Tensor, _ rows: Tensor, _ y: Tensor) {
        let (width, rowByteCount) = (x.shape[1], y.dtype.byteCount(of: x.shape[1]))
        let (from, targets) = (x.hostPointer(as: Float.self), rows.hostPointer(as: Int32.self))
        let to = UnsafeMutableRawPointer(y.hostPointer(as: UInt8.self))
        for t in 0..<x.shape[0] where 0..<y.shape[0] ~= Int(targets[t]) {
            let row = to + Int(targets[t]) * rowByteCount
            if y.dtype == .q8_0 {
                ck_quantise_q8_0(from + t * width, Int64(width), row)
            } else {
                GEMM.narrow(from + t * width, to: y.dtype, row, count: width)
            }
        }
    }
}
