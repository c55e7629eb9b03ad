import Foundation

extension Attention {
    /// Plain loops in f64, softmax over the whole row: what every implementation is checked against.
    package static func reference(
        _ p: Problem, q: [Float], k: [Float], v: [Float], scale: Double? = nil,
        softcap: Double? = nil, mask: ((Int, Int, Int, Int) -> Double)? = nil
    ) -> (o: [Double], lse: [Double]) {
        var o = [Double](repeating: 0, count: p.b * p.tq * p.hq * p.d)
        var lse = [Double](repeating: -Double(Float.greatestFiniteMagnitude), count: p.b * p.tq * p.hq)
        let factor = scale ?? 1 / Double(p.d).squareRoot()
        let capacity = p.b == 0 ? 0 : k.count / (p.b * p.hkv * p.d)
        for b in 0..<p.b {
            for t in 0..<p.tq {
                for h in 0..<p.hq {
                    let keys = p.keys(ofRow: t)
                    let row = (b * p.tq + t) * p.hq + h
                    let key = { (j: Int) in ((b * capacity + j) * p.hkv + h / (p.hq / p.hkv)) * p.d }
                    let scores = keys.map { j in
                        let dot = (0..<p.d).reduce(0.0) { $0 + Double(q[row * p.d + $1]) * Double(k[key(j) + $1]) }
                        let score = softcap.map { $0 * tanh(dot * factor / $0) } ?? dot * factor
                        return score + (mask?(b, h, t, j) ?? 0)
                    }
                    guard let largest = scores.max(), largest > -.infinity else { continue }
                    let weights = scores.map { exp($0 - largest) }
                    let sum = weights.reduce(0, +)
                    for (j, weight) in zip(keys, weights) {
                        for i in 0..<p.d { o[row * p.d + i] += weight / sum * Double(v[key(j) + i]) }
                    }
                    lse[row] = largest + log(sum)
                }
            }
        }
        return (o, lse)
    }
}
