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
}
