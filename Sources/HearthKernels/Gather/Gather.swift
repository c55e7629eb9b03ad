import HearthCompute
import HearthRoofline

/// Embedding lookup: `y[t, :] = table[ids[t], :]`, widened to f32.
///
/// - Shapes: ids `[T]` i32, table `[V, E]` any weight type, y `[T, E]` f32. An id outside `0..<V` gives zeros.
/// - Errors: `invalid` when shapes or dtypes do not fit.
/// - Cost: one multiply-add an element of a quantised table, else none; the rows named are read once.
public enum Gather {
    public static func encode(ids: Tensor, table: Tensor, into y: Tensor, _ encoder: inout CommandEncoder)
        throws(DeviceError)
    {
        try require(ids.shape.count == 1 && ids.dtype == .i32, "Gather", "ids are a row of i32")
        try require(
            table.shape.count == 2 && table.dtype.isReal, "Gather",
            "table is a matrix of weights")
        let (tokens, width) = (ids.shape[0], table.shape[1])
        try require(
            y.shape == [tokens, width] && y.dtype == .f32, "Gather", "y is \(y.shape), expected [\(tokens), \(width)]")
        try require([ids, table, y].allSatisfy(\.isContiguous), "Gather", "tensors are contiguous")
        if y.elementCount > 0 {
            switch encoder.device.backend {
            case .cpu: runCPU(ids, table, y)
            case .vulkan:
                try require(
                    table.elementCount <= Int(UInt32.max), "Gather", "\(table.shape) is more than 2^32 elements")
                try encoder.dispatch(
                    "gather_\(table.dtype)", reads: [ids, table], writes: [y],
                    push: [UInt32(table.shape[0]), UInt32(width)], groups: (tokens, 1, 1))
            }
        }
        encoder.note("gather.\(table.dtype)", cost(tokens: tokens, width: width, table: table.dtype))
    }
}
