/// Element types of GGUF tensors: number in the file, elements and bytes of a block.
public struct GGUFType: Sendable, Hashable, CustomStringConvertible {
    public let number: UInt32
    public let description: String
    public let blockLength: Int
    public let blockByteCount: Int

    private init(_ number: UInt32, _ name: String, _ length: Int, _ bytes: Int) {
        self.number = number
        description = name
        blockLength = length
        blockByteCount = bytes
    }

    public static let f32 = GGUFType(0, "F32", 1, 4)
    public static let f16 = GGUFType(1, "F16", 1, 2)
    public static let bf16 = GGUFType(30, "BF16", 1, 2)
    public static let q4_0 = GGUFType(2, "Q4_0", 32, 18)
    public static let q4_1 = GGUFType(3, "Q4_1", 32, 20)
    public static let q5_0 = GGUFType(6, "Q5_0", 32, 22)
    public static let q8_0 = GGUFType(8, "Q8_0", 32, 34)
    public static let q4_k = GGUFType(12, "Q4_K", 256, 144)
    public static let q5_k = GGUFType(13, "Q5_K", 256, 176)
    public static let q6_k = GGUFType(14, "Q6_K", 256, 210)

    static let all: [GGUFType] = [
        f32, f16, q4_0, q4_1, q5_0, GGUFType(7, "Q5_1", 32, 24), q8_0,
        GGUFType(9, "Q8_1", 32, 36), GGUFType(10, "Q2_K", 256, 84), GGUFType(11, "Q3_K", 256, 110),
        q4_k, q5_k, q6_k,
        GGUFType(15, "Q8_K", 256, 292), GGUFType(24, "I8", 1, 1), GGUFType(25, "I16", 1, 2), GGUFType(26, "I32", 1, 4),
        GGUFType(27, "I64", 1, 8), GGUFType(28, "F64", 1, 8), bf16,
    ]
}

/// One tensor's place in the file.
public struct GGUFTensor: Sendable, Hashable {
    public let name: String
    public let type: GGUFType
    /// Outermost first, as Hearth writes shapes; the file has them innermost first.
    public let shape: [Int]
    /// Absolute bytes in the file.
    public let byteRange: Range<Int>
    /// Where its entry in the tensor table begins.
    public let entryOffset: Int
}
