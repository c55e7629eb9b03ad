import HearthFormats

extension StoredTensor {
    func error(_ problem: String) -> FormatError {
        FormatError(file: file.path, byteOffset: entryOffset, problem)
    }

    /// Elements `range` of a vector of f32, f16 or bf16, in f32.
    func widened(_ range: Range<Int>) throws(FormatError) -> [Float] {
        let (bytes, size) = (bytes, type.blockByteCount)
        let above: Float = layout == .aboveOne ? 1 : 0
        switch type {
        case .f32: return range.map { bytes.loadUnaligned(fromByteOffset: $0 * size, as: Float.self) + above }
        case .f16: return range.map { Float(bytes.loadUnaligned(fromByteOffset: $0 * size, as: Float16.self)) + above }
        case .bf16:
            return range.map {
                let bits = bytes.loadUnaligned(fromByteOffset: $0 * size, as: UInt16.self)
                return Float(bitPattern: UInt32(bits) << 16) + above
            }
        default: throw error("a vector of \(type); expected F32, F16 or BF16")
        }
    }

    /// Rows `range` of a matrix that is stored by columns, `[in, out]`, in its own type.
    func transposed(_ range: Range<Int>) -> [UInt8] {
        let (columns, size) = (shape[1], type.blockByteCount)
        let source = bytes
        return [UInt8](unsafeUninitializedCapacity: range.count * columns * size) { out, count in
            // Blocks of rows that share the cache lines they are read from.
            for block in stride(from: range.lowerBound, to: range.upperBound, by: 16) {
                for column in 0..<columns {
                    for row in block..<min(block + 16, range.upperBound) {
                        let from = (column * shape[0] + row) * size
                        let to = ((row - range.lowerBound) * columns + column) * size
                        for byte in 0..<size { out[to + byte] = source[from + byte] }
                    }
                }
            }
            count = range.count * columns * size
        }
    }
}
