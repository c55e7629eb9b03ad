import HearthCompute
import HearthRoofline

/// Rows written where a list says: `y[rows[t], :] = x[t, :]`, rounded to y's type. New keys and values go to a KV cache so.
///
/// - Shapes: x `[T, W]` f32, rows `[T]` i32, y `[R, W]` f32, f16 or bf16, with W even for 16-bit types, or q8_0 with
///   W a multiple of 64 (scale `max |x| / 127` of 32, quants rounded to nearest, ties away). A row outside `0..<R` is left out; what a row holds that is named twice is undefined.
/// - Aliasing: y overlaps neither input. Errors: `invalid` when shapes or dtypes do not fit.
/// - Cost: no FLOPs; x read once, as many elements written.
public enum Scatter {
    /// What a row of each type is a multiple of, so that it is whole words.
    private static let wholeRows: [DType: Int] = [.f32: 1, .f16: 2, .bf16: 2, .q8_0: 64]

    public static func encode(_ x: Tensor, rows: Tensor, into y: Tensor, _ encoder: inout CommandEncoder)
        throws(DeviceError)
    {
        try check(x, rows: rows, into: y)
        let (count, width) = (x.shape[0], x.shape[1])
        if x.elementCount > 0 {
            switch encoder.device.backend {
            case .cpu: runCPU(x, rows, y)
            case .vulkan:
                try require(
                    y.elementCount <= Int(UInt32.max) && count <= 65535, "Scatter",
                    "\(count) rows into \(y.shape) are too many")
                try encoder.dispatch(
                    "scatter_\(y.dtype)", reads: [x, rows], writes: [y],
                    push: [UInt32(y.shape[0]), UInt32(width)], groups: (count, 1, 1))
            }
        }
        encoder.note("scatter.\(y.dtype)", cost(rows: count, width: width, into: y.dtype))
    }

    static func check(_ x: Tensor, rows: Tensor, into y: Tensor) throws(DeviceError) {
        try require(
            x.shape.count == 2 && y.shape.count == 2 && x.shape[1] == y.shape[1], "Scatter",
            "x is \(x.shape), y is \(y.shape)")
        let (count, width) = (x.shape[0], x.shape[1])
        try require(
            rows.shape == [count] && rows.dtype == .i32, "Scatter",
            "rows are \(rows.dtype) \(rows.shape), expected i32 [\(count)]")
        try require(
            x.dtype == .f32 && wholeRows[y.dtype].map { width % $0 == 0 } == true, "Scatter",
            "x is f32, y f32, f16 or bf16 with rows of even length, or q8_0 of whole 64; not \(x.dtype), \(y.dtype) \(y.shape)"
        )
        try require([x, rows, y].allSatisfy(\.isContiguous), "Scatter", "tensors are contiguous")
    }
}
