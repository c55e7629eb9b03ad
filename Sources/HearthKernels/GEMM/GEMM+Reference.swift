import Foundation

extension GEMM {
    package static func reference(_ activation: Activation, _ x: Double) -> Double {
        switch activation {
        case .identity: x
        case .relu: max(x, 0)
        case .gelu: x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
        case .silu: x / (1 + exp(-x))
        }
    }

    /// Plain loops, f64 accumulation: what every implementation is checked against. a `[m, k]`, b `[n, k]` row-major.
    package static func reference(_ a: [Float], _ b: [Float], m: Int, n: Int, k: Int) -> [Double] {
        var c = [Double](repeating: 0, count: m * n)
        for i in 0..<m {
            for j in 0..<n {
                var sum = 0.0
                for l in 0..<k { sum += Double(a[i &* k &+ l]) * Double(b[j &* k &+ l]) }
                c[i &* n &+ j] = sum
            }
        }
        return c
    }
}
