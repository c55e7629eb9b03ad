extension RMSNorm {
    package static func reference(_ x: [Float], weight: [Float], epsilon: Double) -> [Double] {
        let n = weight.count
        return stride(from: 0, to: x.count, by: n).flatMap { start in
            let row = x[start..<start + n].map(Double.init)
            let scale = 1 / (row.reduce(0) { $0 + $1 * $1 } / Double(n) + epsilon).squareRoot()
            return zip(row, weight).map { $0 * scale * Double($1) }
        }
    }
}
