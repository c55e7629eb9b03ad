import HearthCompute

/// Makes quantised test weights and the f32 values they stand for, independent of the kernels' own code.
public enum Quantiser {
    public static func make(_ dtype: DType, count: Int, _ random: inout TestRandom) -> (bytes: [UInt8], values: [Float])
    {
        var bytes: [UInt8] = []
        var values: [Float] = []
        func append(_ half: Float16) { withUnsafeBytes(of: half.bitPattern.littleEndian) { bytes += $0 } }
        switch dtype {
        case .f32:
            for _ in 0..<count {
                let value = Float.random(in: -1...1, using: &random)
                withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
                values.append(value)
            }
        case .f16:
            for _ in 0..<count {
                let value = Float16(Float.random(in: -1...1, using: &random))
                append(value)
                values.append(Float(value))
            }
        case .q4_1:
            for _ in 0..<count / 32 {
                let scale = Float16(Float.random(in: 0.01...0.2, using: &random))
                let minimum = Float16(Float.random(in: -1...0, using: &random))
                append(scale)
                append(minimum)
                let nibbles = (0..<32).map { _ in UInt8.random(in: 0...15, using: &random) }
                for j in 0..<16 { bytes.append(nibbles[j] | nibbles[j + 16] << 4) }
                values += nibbles.map { Float(scale) * Float($0) + Float(minimum) }
            }
        case .q8_0:
            for _ in 0..<count / 32 {
                let scale = Float16(Float.random(in: 0.001...0.02, using: &random))
                append(scale)
                let quants = (0..<32).map { _ in Int8.random(in: -128...127, using: &random) }
                bytes += quants.map { UInt8(bitPattern: $0) }
                values += quants.map { Float(scale) * Float($0) }
            }
        case .i32: preconditionFailure("i32 is no weight type")
        }
        return (bytes, values)
    }
}
