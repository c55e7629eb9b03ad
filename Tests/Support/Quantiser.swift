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
        case .bf16:
            for _ in 0..<count {
                let value = Float(bitPattern: Float.random(in: -1...1, using: &random).bitPattern & 0xffff_0000)
                withUnsafeBytes(of: UInt16(value.bitPattern >> 16).littleEndian) { bytes += $0 }
                values.append(value)
            }
        case .q4_0:
            for _ in 0..<count / 32 {
                let scale = Float16(Float.random(in: 0.01...0.2, using: &random))
                append(scale)
                let nibbles = (0..<32).map { _ in UInt8.random(in: 0...15, using: &random) }
                for j in 0..<16 { bytes.append(nibbles[j] | nibbles[j + 16] << 4) }
                values += nibbles.map { Float(scale) * (Float($0) - 8) }
            }
        case .q5_0:
            for _ in 0..<count / 32 {
                let scale = Float16(Float.random(in: 0.01...0.1, using: &random))
                append(scale)
                let quants = (0..<32).map { _ in UInt8.random(in: 0...31, using: &random) }
                let high = quants.enumerated().reduce(UInt32(0)) { $0 | UInt32($1.element >> 4) << $1.offset }
                withUnsafeBytes(of: high.littleEndian) { bytes += $0 }
                for j in 0..<16 { bytes.append(quants[j] & 15 | (quants[j + 16] & 15) << 4) }
                values += quants.map { Float(scale) * (Float($0) - 16) }
            }
        case .q4_k, .q5_k: makeQ45K(dtype, count, &random, &bytes, &values)
        case .q6_k: makeQ6K(count, &random, &bytes, &values)
        case .i8:
            let quants = (0..<count).map { _ in Int8.random(in: -128...127, using: &random) }
            bytes += quants.map { UInt8(bitPattern: $0) }
            values += quants.map(Float.init)
        case .i32: preconditionFailure("i32 is no weight type")
        }
        return (bytes, values)
    }

    private static func bytes(of half: Float16) -> [UInt8] {
        withUnsafeBytes(of: half.bitPattern.littleEndian) { Array($0) }
    }

    /// d, dmin, 8 scales and 8 minima of 6 bits in 12 bytes; for Q5_K 32 bytes of fifth bits, bit j of sub-block j; then four
    /// runs of 32 bytes, each two sub-blocks of nibbles.
    private static func makeQ45K(
        _ dtype: DType, _ count: Int, _ random: inout TestRandom, _ bytes: inout [UInt8], _ values: inout [Float]
    ) {
        for _ in 0..<count / 256 {
            let d = Float16(Float.random(in: 0.0005...0.005, using: &random))
            let minimum = Float16(Float.random(in: 0.0005...0.005, using: &random))
            let scales = (0..<8).map { _ in UInt8.random(in: 0...63, using: &random) }
            let minima = (0..<8).map { _ in UInt8.random(in: 0...63, using: &random) }
            var packed = [UInt8](repeating: 0, count: 12)
            for j in 0..<4 {
                packed[j] = scales[j] | (scales[j + 4] >> 4) << 6
                packed[j + 4] = minima[j] | (minima[j + 4] >> 4) << 6
                packed[j + 8] = scales[j + 4] & 15 | (minima[j + 4] & 15) << 4
            }
            let largest: UInt8 = dtype == .q5_k ? 31 : 15
            let quants = (0..<256).map { _ in UInt8.random(in: 0...largest, using: &random) }
            bytes += Self.bytes(of: d) + Self.bytes(of: minimum) + packed
            if dtype == .q5_k {
                for i in 0..<32 { bytes.append((0..<8).reduce(0) { $0 | (quants[32 * $1 + i] >> 4) << UInt8($1) }) }
            }
            for run in 0..<4 {
                for i in 0..<32 { bytes.append(quants[64 * run + i] & 15 | quants[64 * run + 32 + i] << 4) }
            }
            for (i, quant) in quants.enumerated() {
                values.append(Float(d) * Float(scales[i / 32]) * Float(quant) - Float(minimum) * Float(minima[i / 32]))
            }
        }
    }

    /// 128 bytes of low nibbles, 64 of high bit pairs, 16 signed scales, d; a half is four runs of 32 elements.
    private static func makeQ6K(
        _ count: Int, _ random: inout TestRandom, _ bytes: inout [UInt8], _ values: inout [Float]
    ) {
        for _ in 0..<count / 256 {
            let d = Float16(Float.random(in: 0.0001...0.001, using: &random))
            let scales = (0..<16).map { _ in Int8.random(in: -128...127, using: &random) }
            let quants = (0..<256).map { _ in UInt8.random(in: 0...63, using: &random) }
            var (low, high) = ([UInt8](), [UInt8]())
            for half in 0..<2 {
                let q = { (run: Int, i: Int) in quants[half * 128 + run * 32 + i] }
                for pair in 0..<2 { for i in 0..<32 { low.append(q(pair, i) & 15 | (q(pair + 2, i) & 15) << 4) } }
                for i in 0..<32 { high.append((0..<4).reduce(UInt8(0)) { $0 | (q($1, i) >> 4) << (2 * UInt8($1)) }) }
            }
            bytes += low + high + scales.map { UInt8(bitPattern: $0) } + Self.bytes(of: d)
            for (i, quant) in quants.enumerated() {
                values.append(Float(d) * Float(scales[i / 16]) * (Float(quant) - 32))
            }
        }
    }
}
