import HearthCompute
import HearthRoofline

/// The k largest elements of each row with their indices, largest first, the first of equals first.
///
/// - Shapes: x `[r, n]` f32; values `[r, k]` f32 and indices `[r, k]` i32, `1 <= k <= min(n, maximum)`. NaN elements count as
///   smaller than all others; zeros of both signs are equal.
/// - Aliasing: no output overlaps x or the other. Errors: `invalid` when shapes do not fit.
/// - Cost: one comparison an element, counted as a FLOP; x read once on the CPU. On Vulkan a radix select reads a chunk
///   of 4,096 again for every byte that it needs, from the cache; two launches, and 8 k bytes a chunk.
/// - Source: radix select, Alabi et al., "Fast k-selection algorithms for graphics processing units", JEA 17 (2012).
public enum TopK {
    /// What a workgroup's shared memory is made for.
    public static let maximum = 256

    public static func encode(_ x: Tensor, into values: Tensor, indices: Tensor, _ encoder: inout CommandEncoder)
        throws(DeviceError)
    {
        try require(x.shape.count == 2 && x.dtype == .f32 && x.isContiguous, "TopK", "x is a plain f32 matrix")
        let (rows, n, k) = (x.shape[0], x.shape[1], values.shape.last ?? 0)
        try require(
            k >= 1 && k <= min(n, maximum), "TopK", "k is \(k), expected 1...\(min(n, maximum)) of rows of \(n)")
        try require(
            values.shape == [rows, k] && indices.shape == [rows, k], "TopK",
            "values are \(values.shape), indices \(indices.shape), expected [\(rows), \(k)]")
        try require(
            values.dtype == .f32 && indices.dtype == .i32 && values.isContiguous && indices.isContiguous, "TopK",
            "values are plain f32, indices plain i32")
        if rows > 0 {
            switch encoder.device.backend {
            case .cpu(let cpu): runCPU(x, values, indices, cpu)
            case .vulkan: try encodeVulkan(x, values, indices, &encoder)
            }
        }
        encoder.note("top_k", cost(rows: rows, n: n, k: k))
    }

    /// Rows in chunks, each to a workgroup; then the largest of what a row's chunks give.
    private static func encodeVulkan(
        _ x: Tensor, _ values: Tensor, _ indices: Tensor, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let (rows, n, k, chunk) = (x.shape[0], x.shape[1], values.shape[1], 4096)
        let chunks = (n + chunk - 1) / chunk
        // An element and its index, as 64 bits.
        let keys = try encoder.device.makeTensor(.i32, [rows, chunks, k, 2])
        let push = [rows, n, k, chunk].map(UInt32.init)
        try encoder.dispatch("top_k", reads: [x], writes: [keys], push: push, groups: grid(rows * chunks))
        try encoder.dispatch(
            "top_k_join", reads: [x, keys], writes: [values, indices], push: push, groups: grid(rows))
    }
}
