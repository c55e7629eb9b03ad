extension TopK {
    package static func reference(_ x: [Float], n: Int, k: Int) -> (values: [Float], indices: [Int32]) {
        let order = stride(from: 0, to: x.count, by: n).flatMap { start in
            (start..<start + n).sorted { a, b in
                if x[a].isNaN || x[b].isNaN { return x[a].isNaN == x[b].isNaN ? a < b : x[b].isNaN }
                return x[a] != x[b] ? x[a] > x[b] : a < b
            }.prefix(k)
        }
        return (order.map { x[$0] }, order.map { Int32($0 % n) })
    }
}
