import Foundation

extension RoPE {
    package static func reference(
        _ x: [Float], heads: Int, headDim d: Int, position: Int, base: Double, layout: Layout
    ) -> [Double] {
        var y = x.map(Double.init)
        for row in 0..<x.count / d {
            for i in 0..<d / 2 {
                let angle = Double(position + row / heads) * pow(base, -2 * Double(i) / Double(d))
                let first = row * d + (layout == .halfSplit ? i : 2 * i)
                let second = layout == .halfSplit ? first + d / 2 : first + 1
                y[first] = Double(x[first]) * cos(angle) - Double(x[second]) * sin(angle)
                y[second] = Double(x[first]) * sin(angle) + Double(x[second]) * cos(angle)
            }
        }
        return y
    }

    /// With a table of `[rows, D / 2, 2]` cosines and sines, one row for each token.
    package static func reference(_ x: [Float], heads: Int, headDim d: Int, table: [Float], layout: Layout) -> [Double]
    {
        var y = x.map(Double.init)
        for row in 0..<x.count / d {
            for i in 0..<d / 2 {
                let (c, s) = (Double(table[row / heads * d + 2 * i]), Double(table[row / heads * d + 2 * i + 1]))
                let first = row * d + (layout == .halfSplit ? i : 2 * i)
                let second = layout == .halfSplit ? first + d / 2 : first + 1
                y[first] = Double(x[first]) * c - Double(x[second]) * s
                y[second] = Double(x[first]) * s + Double(x[second]) * c
            }
        }
        return y
    }
}
