extension Quantise {
    /// In f32, as the definition divides: a quotient that f64 would put beside a tie must stay on it.
    package static func reference(_ x: [Float], scales: [Float], zeros: [Int32], range: ClosedRange<Int32>) -> [Int32] {
        let n = scales.isEmpty ? 0 : x.count / scales.count
        return x.indices.map { i in
            let value = (x[i] / scales[i / n]).rounded(.toNearestOrEven) + Float(zeros[i / n])
            return Int32(min(max(value, Float(range.lowerBound)), Float(range.upperBound)))
        }
    }

    package static func inverseReference(_ x: [Int32], scales: [Float], zeros: [Int32]) -> [Double] {
        let n = scales.isEmpty ? 0 : x.count / scales.count
        return x.indices.map { Double(x[$0] - zeros[$0 / n]) * Double(scales[$0 / n]) }
    }
}
