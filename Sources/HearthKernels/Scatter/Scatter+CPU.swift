import CKernels
import Foundation
import HearthCompute

extension Scatter {
    static func runCPU(_ x: Tensor, _ rows: Tensor, _ y: Tensor) {
        let (width, rowByteCount) = (x.shape[1], y.dtype.byteCount(of: x.shape[1]))
        let (from, targets) = (x.hostPointer(as: Float.self), rows.hostPointer(as: Int32.self))
        let to = UnsafeMutableRawPointer(y.hostPointer(as: UInt8.self))
        for t in 0..<x.shape[0] where 0..<y.shape[0] ~= Int(targets[t]) {
            let row = to + Int(targets[t]) * rowByteCount
            switch y.dtype {
            case .f16: ck_narrow_f16(from + t * width, row.assumingMemoryBound(to: UInt16.self), Int64(width))
            case .bf16: ck_narrow_bf16(from + t * width, row.assumingMemoryBound(to: UInt16.self), Int64(width))
            default: memcpy(row, from + t * width, rowByteCount)
            }
        }
    }
}
