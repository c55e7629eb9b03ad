/// The element types of tensors. Quantised types store blocks of 32 elements along the last dimension.
public enum DType: String, Sendable, Hashable, Codable, CaseIterable {
    case f32, f16, i32
    /// 32 elements in 20 bytes: f16 scale d, f16 minimum m, 16 bytes of nibbles; element = d * nibble + m.
    /// Byte j holds element j in its low and element j + 16 in its high nibble.
    case q4_1
    /// 32 elements in 34 bytes: f16 scale d, 32 signed bytes; element = d * byte.
    case q8_0

    /// Elements in one block: 1 for plain types.
    public var blockLength: Int {
        switch self {
        case .f32, .f16, .i32: 1
        case .q4_1, .q8_0: 32
        }
    }

    public var blockByteCount: Int {
        switch self {
        case .f32, .i32: 4
        case .f16: 2
        case .q4_1: 20
        case .q8_0: 34
        }
    }

    public var isQuantised: Bool { blockLength > 1 }

    /// Bytes of `elementCount` elements, which must be whole blocks.
    public func byteCount(of elementCount: Int) -> Int {
        precondition(elementCount % blockLength == 0, "\(elementCount) elements are not whole \(self) blocks")
        return elementCount / blockLength * blockByteCount
    }
}
