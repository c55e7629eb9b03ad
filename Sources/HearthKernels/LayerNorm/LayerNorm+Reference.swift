extension LayerNorm {
    package static func reference(_ x: [Float], weight: [Float], bias: [Float]?, epsilon: Double)
        -> (y: [Double], mean: [Double], inverseDeviation: [Double])
    {
        let n = weight.count
        var (y, means, inverses) = ([Double](), [Double](), [Double]())
        for start in stride(from: 0, to: x.count, by: n) {
            let row = x[start..<start + n].map(Double.init)
            let mean = row.reduce(0, +) / Double(n)
            let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(n)
            let inverse = 1 / (variance + epsilon).squareRoot()
            means.append(mean)
            inverses.append(inverse)
            for i in 0..<n { y.append((row[i] - mean) * inverse * Double(weight[i]) + Double(bias?[i] ?? 0)) }
        }
        return (y, means, inverses)
    }
}
