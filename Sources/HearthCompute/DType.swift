/// The element types of tensors. Quantised types store blocks of 32 or 256 elements along the last dimension, laid out as
/// in GGUF files; d is a scale, m a minimum, both f16 unless said otherwise.
public enum DType: String, Sendable, Hashable, Codable, CaseIterable {
    case f32, f16, bf16, i32, i8
    /// 32 elements in 18 bytes: d, 16 bytes of nibbles as in q4_1; element = d * (nibble - 8).
    case q4_0
    /// 32 elements in 20 bytes: f16 scale d, f16 minimum m, 16 bytes of nibbles; element = d * nibble + m.
    /// Byte j holds element j in its low and element j + 16 in its high nibble.
    case q4_1
    /// 32 elements in 22 bytes: d, 32 fifth bits, nibbles as in q4_1; element = d * (quant - 16).
    case q5_0
    /// 32 elements in 34 bytes: f16 scale d, 32 signed bytes; element = d * byte.
    case q8_0
    /// 256 elements in 144 bytes: d, m, eight 6-bit scales and minima, nibbles; element = d * s * nibble - m * t.
    case q4_k
    /// 256 elements in 176 bytes: d, m, scales and minima as in q4_k, 256 fifth bits, nibbles.
    case q5_k
    /// 256 elements in 210 bytes: low nibbles, high bit pairs, sixteen signed scales, d; element = d * s * (quant - 32).
    case q6_k

    /// Elements in one block: 1 for plain types.
    public var blockLength: Int {
        switch self {
        case .f32, .f16, .bf16, .i32, .i8: 1
        case .q4_0, .q4_1, .q5_0, .q8_0: 32
        case .q4_k, .q5_k, .q6_k: 256
        }
    }

    public var blockByteCount: Int {
        switch self {
        case .f32, .i32: 4
        case .f16, .bf16: 2
        case .i8: 1
        case .q4_0: 18
        case .q4_1: 20
        case .q5_0: 22
        case .q8_0: 34
        case .q4_k: 144
        case .q5_k: 176
        case .q6_k: 210
        }
    }

    public var isQuantised: Bool { blockLength > 1 }

    /// Whether elements stand for real numbers, which kernels widen to f32: all types but the plain integers.
    public var isReal: Bool { self != .i32 && self != .i8 }

    /// Bytes of `elementCount` elements, which must be whole blocks.
    public func byteCount(of elementCount: Int) -> Int {
        precondition(elementCount % blockLength == 0, "\(elementCount) elements are not whole \(self) blocks")
        return elementCount / blockLength * blockByteCount
    }
}
