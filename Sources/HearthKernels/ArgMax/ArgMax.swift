import HearthCompute
import HearthRoofline

/// Index of the largest element of each row, the first of equals.
///
/// - Shapes: x `[r, n]` f32 with n > 0, y `[r]` i32. NaN elements are never chosen unless they come first.
/// - Errors: `invalid` when shapes do not fit.
/// - Cost: one comparison an element, counted as a FLOP; x read once. On Vulkan two launches and 8 bytes a chunk of 1,024.
public enum ArgMax {
    public static func encode(_ x: Tensor, into y: Tensor, _ encoder: inout CommandEncoder) throws(DeviceError) {
        try require(x.shape.count == 2 && x.dtype == .f32 && x.isContiguous, "ArgMax", "x is a plain f32 matrix")
        let (rows, n) = (x.shape[0], x.shape[1])
        try require(n > 0, "ArgMax", "rows are empty")
        try require(y.shape == [rows] && y.dtype == .i32, "ArgMax", "y is \(y.shape), expected [\(rows)] i32")
        if rows > 0 {
            switch encoder.device.backend {
            case .cpu: runCPU(x, y)
            case .vulkan: try encodeVulkan(x, y, &encoder)
            }
        }
        encoder.note("argmax", cost(rows: rows, n: n))
    }

    /// Rows in chunks, each to a workgroup; then the largest of each row's chunks.
    private static func encodeVulkan(_ x: Tensor, _ y: Tensor, _ encoder: inout CommandEncoder) throws(DeviceError) {
        let (rows, n, chunk) = (x.shape[0], x.shape[1], 1024)
        let chunks = (n + chunk - 1) / chunk
        // A value and its index, as 64 bits.
        let keys = try encoder.device.makeTensor(.i32, [rows, chunks, 2])
        try encoder.dispatch(
            "argmax", reads: [x], writes: [keys], push: [rows, n, chunk].map(UInt32.init), groups: grid(rows * chunks))
        try encoder.dispatch(
            "argmax_join", reads: [keys], writes: [y], push: [rows, chunks, chunks].map(UInt32.init), groups: grid(rows)
        )
    }
}
