extension Scatter {
    /// `y` with rows of `width` elements replaced; before any rounding.
    package static func reference(_ x: [Float], rows: [Int32], width: Int, into y: [Float]) -> [Float] {
        var y = y
        for (t, row) in rows.enumerated() where row >= 0 && Int(row) < y.count / width {
            let at = Int(row) * width
            y.replaceSubrange(at..<at + width, with: x[t * width..<(t + 1) * width])
        }
        return y
    }
}
