import HearthCompute

/// The shapes of Benchmarks/peers/cases.py, by the same names.
enum PeerCases {
    struct GEMMCase {
        let name: String
        let m, n, k: Int
        /// Weights stored [n, k] and constant, as in a linear layer.
        let isLinear: Bool
        let batch: Int
    }

    static let gemm: [GEMMCase] =
        [64, 128, 256, 512, 1024, 2048].map {
            GEMMCase(name: "sq_\($0)", m: $0, n: $0, k: $0, isLinear: false, batch: 1)
        }
        + [2048, 5632].flatMap { n in
            [1, 4, 16].map {
                GEMMCase(name: "lin_\($0)x\(n)x2048", m: $0, n: n, k: 2048, isLinear: true, batch: 1)
            }
        } + [GEMMCase(name: "bat_512x64", m: 64, n: 64, k: 64, isLinear: false, batch: 512)]

    struct LowPrecisionCase {
        let name: String
        let weights: DType
        let m, n, k: Int
    }

    private static func low(_ name: String, _ weights: DType, _ m: Int, _ n: Int, _ k: Int) -> LowPrecisionCase {
        LowPrecisionCase(name: name, weights: weights, m: m, n: n, k: k)
    }
    static let lowPrecision = [
        low("bf16_1024", .bf16, 1024, 1024, 1024), low("f16_1024", .f16, 1024, 1024, 1024),
        low("i8_1024", .i8, 1024, 1024, 1024), low("bf16_1x5632x2048", .bf16, 1, 5632, 2048),
        low("f16_1x5632x2048", .f16, 1, 5632, 2048), low("q8_1x2048x2048", .q8_0, 1, 2048, 2048),
        low("q8_1x5632x2048", .q8_0, 1, 5632, 2048), low("q4_1x2048x2048", .q4_0, 1, 2048, 2048),
        low("q4_1x5632x2048", .q4_0, 1, 5632, 2048), low("q8_512x2048x2048", .q8_0, 512, 2048, 2048),
        low("q4_512x2048x2048", .q4_0, 512, 2048, 2048),
    ]

    struct AttentionCase {
        let name: String
        let tq, tk, hq, hkv, d: Int
        let isCausal: Bool
    }

    static let attention: [AttentionCase] =
        [128, 512, 1024, 2048, 4096].flatMap { s in
            [false, true].map {
                AttentionCase(
                    name: "att_\(s)_\($0 ? "causal" : "full")", tq: s, tk: s, hq: 8, hkv: 8, d: 64, isCausal: $0)
            }
        }
        + [false, true].map {
            AttentionCase(
                name: "gqa_1024_\($0 ? "causal" : "full")", tq: 1024, tk: 1024, hq: 32, hkv: 8, d: 128, isCausal: $0)
        } + [
            AttentionCase(name: "dec_4096_h8_d64", tq: 1, tk: 4096, hq: 8, hkv: 8, d: 64, isCausal: false),
            AttentionCase(name: "dec_4096_h32kv8_d128", tq: 1, tk: 4096, hq: 32, hkv: 8, d: 128, isCausal: false),
        ]

    /// VULKAN_GEMM and VULKAN_ATTN of cases.py, and the low-precision cases that ggml runs there.
    static let vulkan = [
        "sq_256", "sq_512", "sq_1024", "lin_1x2048x2048", "lin_16x2048x2048", "att_128_full", "att_512_full",
        "att_1024_full", "att_1024_causal", "dec_4096_h8_d64", "q8_1x2048x2048", "q4_1x2048x2048",
    ]

    /// Uniform on (-1, 1); the same for a seed.
    static func floats(_ count: Int, seed: UInt64) -> [Float] {
        var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
        return (0..<count).map { _ in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Float(Int32(truncatingIfNeeded: state >> 20)) / 2_147_483_648
        }
    }

    /// Elements of a weight type whose values are of the order of one.
    static func bytes(_ dtype: DType, elementCount: Int) -> [UInt8] {
        let values = floats(dtype.byteCount(of: elementCount), seed: 7)
        switch dtype {
        case .f16, .bf16:
            return (0..<elementCount).flatMap { index -> [UInt8] in
                let bits =
                    dtype == .f16
                    ? Float16(values[index]).bitPattern : UInt16(values[index].bitPattern >> 16)
                return [UInt8(truncatingIfNeeded: bits), UInt8(bits >> 8)]
            }
        default:
            var bytes = values.map { UInt8(bitPattern: Int8($0 * 127)) }
            // Where a block's f16 scales, and minima, lie.
            let offsets: [Int] =
                switch dtype {
                case .q4_1, .q4_k, .q5_k: [0, 2]
                case .q6_k: [208]
                default: dtype.isQuantised ? [0] : []
                }
            let scale = Float16(0.01).bitPattern
            for block in stride(from: 0, to: bytes.count, by: dtype.blockByteCount) {
                for at in offsets.map({ block + $0 }) {
                    (bytes[at], bytes[at + 1]) = (UInt8(truncatingIfNeeded: scale), UInt8(scale >> 8))
                }
            }
            return bytes
        }
    }
}
