import Foundation

extension Softmax {
    package static func reference(_ x: [Float], n: Int, isLog: Bool) -> [Double] {
        stride(from: 0, to: x.count, by: n).flatMap { start -> [Double] in
            let row = x[start..<start + n].map(Double.init)
            let largest = row.max()!
            let sum = row.reduce(0) { $0 + exp($1 - largest) }
            return row.map { isLog ? $0 - largest - log(sum) : exp($0 - largest) / sum }
        }
    }
}
