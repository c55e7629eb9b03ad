extension Gather {
    /// `table` already widened, row-major.
    package static func reference(ids: [Int32], table: [Float], width: Int) -> [Double] {
        ids.flatMap { id in
            let start = Int(id) * width
            return id >= 0 && start < table.count
                ? table[start..<start + width].map(Double.init) : [Double](repeating: 0, count: width)
        }
    }
}
