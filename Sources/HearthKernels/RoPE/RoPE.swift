import Foundation
import HearthCompute
import HearthRoofline

/// Rotary position embedding: rotates pairs of each head by an angle that grows with the token's position.
///
/// `(a, b) -> (a cos - b sin, a sin + b cos)`, angle `position * base^(-2i/D)` for pair i.
///
/// - Shapes: x and y `[T, H, D]`, D even. table `[positions, D / 2, 2]` from `table`.
/// - Layouts: interleaved pairs `(2i, 2i + 1)`, or half-split pairs `(i, i + D / 2)`.
/// - dtypes: f32. Angles are made in f64, so both backends rotate by the same values.
/// - Aliasing: y may be x.
/// - Errors: `invalid` when shapes do not fit or a position is past the table.
/// - Cost: `3 D` FLOPs a head and token; x and the used part of the table read once.
/// - Source: Su et al., RoFormer, arXiv 2104.09864.
public enum RoPE {
    public enum Layout: Sendable, Hashable { case interleaved, halfSplit }

    /// Where tokens stand.
    public enum Positions: Sendable {
        /// Token t at this position plus t.
        case from(Int)
        /// Each where an i32 `[T]` says when the work runs; one that is not in the table takes its last row.
        case each(Tensor)
    }

    /// Cosine and sine of every position's angles, for `Device.makeTensor(_:_:)` with shape `[positions, D / 2, 2]`.
    ///
    /// - Parameters:
    ///   - scale: positions are divided by it, where a model was stretched to longer contexts (Chen et al., arXiv 2306.15595).
    ///   - factors: `D / 2` numbers that the pairs' frequencies are divided by as well.
    public static func table(
        positions: Int, headDim: Int, base: Double, scale: Double = 1, factors: [Float]? = nil
    ) -> [Float] {
        let frequencies = (0..<headDim / 2).map {
            pow(base, -2 * Double($0) / Double(headDim)) / scale / Double(factors?[$0] ?? 1)
        }
        return [Float](unsafeUninitializedCapacity: positions * headDim) { values, count in
            for position in 0..<positions {
                for (pair, frequency) in frequencies.enumerated() {
                    let (angle, at) = (Double(position) * frequency, position &* headDim &+ 2 &* pair)
                    values[at] = Float(cos(angle))
                    values[at &+ 1] = Float(sin(angle))
                }
            }
            count = positions * headDim
        }
    }

    /// What heads are multiplied with after `RMSNorm`, before they are rotated in the same pass: queries and keys of models
    /// that normalise them. On the CPU the same bits as one after the other.
    ///
    /// - Shapes: weight `[D]` f32. Cost: `4 D` FLOPs a head and token more.
    /// - Source: Henry et al., "Query-Key Normalization for Transformers", arXiv 2010.04245.
    public struct Norm: Sendable {
        public let weight: Tensor
        public let epsilon: Float

        public init(weight: Tensor, epsilon: Float) { (self.weight, self.epsilon) = (weight, epsilon) }
    }

    public static func encode(
        _ x: Tensor, norm: Norm? = nil, table: Tensor, positions: Positions, layout: Layout, into y: Tensor,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let (tokens, heads, d) = try check(x, norm, table, positions, y)
        let name = norm == nil ? "rope" : "rope_norm"
        if x.elementCount > 0 {
            switch encoder.device.backend {
            case .cpu(let cpu): runCPU(x, norm, table, positions, layout, y, cpu)
            case .vulkan:
                let pairs = (x.elementCount / 2 + 63) / 64
                try encoder.dispatch(
                    name, reads: [x, table, positions.list ?? table] + (norm.map { [$0.weight] } ?? []), writes: [y],
                    push: push(x, table, positions, layout) + (norm.map { [$0.epsilon.bitPattern] } ?? []),
                    groups: norm == nil ? (pairs, 1, 1) : grid(tokens * heads))
            }
        }
        encoder.note(name, cost(tokens: tokens, heads: heads, headDim: d, normalises: norm != nil))
    }

    private static func push(_ x: Tensor, _ table: Tensor, _ positions: Positions, _ layout: Layout) -> [UInt32] {
        let own = positions.list != nil
        return (x.shape + [positions.first, own ? 1 : 0, layout == .halfSplit ? 1 : 0, table.shape[0]]).map(UInt32.init)
    }

    static func check(
        _ x: Tensor, _ norm: Norm?, _ table: Tensor, _ positions: Positions, _ y: Tensor
    ) throws(DeviceError) -> (tokens: Int, heads: Int, d: Int) {
        try require(x.shape.count == 3 && y.shape == x.shape, "RoPE", "x is \(x.shape), y is \(y.shape)")
        let (tokens, heads, d) = (x.shape[0], x.shape[1], x.shape[2])
        try require(d % 2 == 0, "RoPE", "head dimension \(d) is odd")
        try require(
            table.shape.count == 3 && table.shape[1] == d / 2 && table.shape[2] == 2, "RoPE",
            "table is \(table.shape), expected [positions, \(d / 2), 2]")
        if let weight = norm?.weight {
            try require(
                weight.shape == [d] && weight.dtype == .f32 && weight.isContiguous, "RoPE",
                "the norm's weight is \(weight.dtype) \(weight.shape), expected plain f32 [\(d)]")
        }
        switch positions {
        case .from(let first):
            try require(
                first >= 0 && first + tokens <= table.shape[0], "RoPE",
                "positions \(first)..<\(first + tokens) of a table of \(table.shape[0])")
        case .each(let list):
            try require(
                list.shape == [tokens] && list.dtype == .i32 && list.isContiguous && table.shape[0] > 0, "RoPE",
                "positions are \(list.dtype) \(list.shape), expected i32 [\(tokens)]")
        }
        try require([x, table, y].allSatisfy { $0.dtype == .f32 && $0.isContiguous }, "RoPE", "tensors are plain f32")
        return (tokens, heads, d)
    }
}

extension RoPE.Positions {
    fileprivate var list: Tensor? { if case .each(let list) = self { list } else { nil } }
    fileprivate var first: Int { if case .from(let first) = self { first } else { 0 } }
}
