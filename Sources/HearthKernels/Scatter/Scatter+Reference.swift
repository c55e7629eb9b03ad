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

    /// What Q8_0 keeps of `x`, whose count is a multiple of 32.
    package static func q8Reference(_ x: [Float]) -> [Float] {
        stride(from: 0, to: x.count, by: 32).flatMap { start in
            let block = x[start..<start + 32]
            let scale = block.map(abs).max()! / 127
            let inverse = scale > 0 ? 1 / scale : 0
            return block.map { Float(Float16(scale)) * ($0 * inverse).rounded(.toNearestOrAwayFromZero) }
        }
    }
}
