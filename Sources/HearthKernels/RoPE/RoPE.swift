import Foundation
import HearthCompute
import HearthRoofline

/// Rotary position embedding: rotates pairs of each head by an angle that grows with the token's position.
///
/// `(a, b) -> (a cos - b sin, a sin + b cos)`, angle `position * base^(-2i/D)` for pair i.
///
/// - Shapes: x and y `[T, H, D]`, D even; token t stands at `position + t`. table `[positions, D / 2, 2]` from `table`.
/// - Layouts: interleaved pairs `(2i, 2i + 1)`, or half-split pairs `(i, i + D / 2)`.
/// - dtypes: f32. Angles are made in f64, so both backends rotate by the same values.
/// - Aliasing: y may be x.
/// - Errors: `invalid` when shapes do not fit or a position is past the table.
/// - Cost: `3 D` FLOPs a head and token; x and the used part of the table read once.
/// - Source: Su et al., RoFormer, arXiv 2104.09864.
public enum RoPE {
    public enum Layout: Sendable, Hashable { case interleaved, halfSplit }

    /// Cosine and sine of every position's angles, for `Device.makeTensor(_:_:)` with shape `[positions, D / 2, 2]`.
    public static func table(positions: Int, headDim: Int, base: Double) -> [Float] {
        let frequencies = (0..<headDim / 2).map { pow(base, -2 * Double($0) / Double(headDim)) }
        return (0..<positions).flatMap { position in
            frequencies.flatMap { [Float(cos(Double(position) * $0)), Float(sin(Double(position) * $0))] }
        }
    }

    public static func encode(
        _ x: Tensor, table: Tensor, position: Int, layout: Layout, into y: Tensor, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        try require(x.shape.count == 3 && y.shape == x.shape, "RoPE", "x is \(x.shape), y is \(y.shape)")
        let (tokens, heads, d) = (x.shape[0], x.shape[1], x.shape[2])
        try require(d % 2 == 0, "RoPE", "head dimension \(d) is odd")
        try require(
            table.shape.count == 3 && table.shape[1] == d / 2 && table.shape[2] == 2, "RoPE",
            "table is \(table.shape), expected [positions, \(d / 2), 2]")
        try require(
            position >= 0 && position + tokens <= table.shape[0], "RoPE",
            "positions \(position)..<\(position + tokens) of a table of \(table.shape[0])")
        try require([x, table, y].allSatisfy { $0.dtype == .f32 && $0.isContiguous }, "RoPE", "tensors are plain f32")
        if x.elementCount > 0 {
            switch encoder.device.backend {
            case .cpu(let cpu): runCPU(x, table, position, layout, y, cpu)
            case .vulkan:
                try encoder.dispatch(
                    "rope", reads: [x, table], writes: [y],
                    push: [tokens, heads, d, position, layout == .halfSplit ? 1 : 0].map(UInt32.init),
                    groups: ((x.elementCount / 2 + 63) / 64, 1, 1))
            }
        }
        encoder.note("rope", cost(tokens: tokens, heads: heads, headDim: d))
    }
}
