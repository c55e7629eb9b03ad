import Foundation

/// Writes small GGUF files for tests, with nothing shared with the parser.
public struct GGUFWriter {
    private var pairs: [Data] = []
    private var tensors: [(name: String, shape: [Int], type: UInt32, bytes: Data)] = []

    public init() {}

    public static func little<T: FixedWidthInteger>(_ value: T) -> Data {
        withUnsafeBytes(of: value.littleEndian) { Data($0) }
    }
    public static func string(_ text: String) -> Data { little(UInt64(text.utf8.count)) + Data(text.utf8) }

    public mutating func add(_ key: String, type: UInt32, _ value: Data) {
        pairs.append(Self.string(key) + Self.little(type) + value)
    }
    public mutating func add(_ key: String, _ value: String) { add(key, type: 8, Self.string(value)) }
    public mutating func add(_ key: String, _ value: UInt32) { add(key, type: 4, Self.little(value)) }
    public mutating func addFloat(_ key: String, _ value: Float) { add(key, type: 6, Self.little(value.bitPattern)) }
    public mutating func add(_ key: String, _ values: [String]) {
        add(
            key, type: 9,
            Self.little(UInt32(8)) + Self.little(UInt64(values.count)) + values.map(Self.string).reduce(Data(), +))
    }
    public mutating func add(_ key: String, _ values: [Int32]) {
        add(
            key, type: 9,
            Self.little(UInt32(5)) + Self.little(UInt64(values.count)) + values.map(Self.little).reduce(Data(), +))
    }
    /// `shape` outermost first.
    public mutating func addTensor(_ name: String, _ shape: [Int], type: UInt32, _ bytes: Data) {
        tensors.append((name, shape, type, bytes))
    }

    public var data: Data {
        var out =
            Data("GGUF".utf8) + Self.little(UInt32(3)) + Self.little(UInt64(tensors.count))
            + Self.little(UInt64(pairs.count))
        pairs.forEach { out += $0 }
        var offset = 0
        for tensor in tensors {
            out += Self.string(tensor.name) + Self.little(UInt32(tensor.shape.count))
            tensor.shape.reversed().forEach { out += Self.little(UInt64($0)) }
            out += Self.little(tensor.type) + Self.little(UInt64(offset))
            offset += (tensor.bytes.count + 31) / 32 * 32
        }
        out += Data(count: (32 - out.count % 32) % 32)
        for tensor in tensors { out += tensor.bytes + Data(count: (32 - tensor.bytes.count % 32) % 32) }
        return out
    }

    public func write(to folder: String, name: String = "test.gguf") throws -> String {
        let path = folder + "/" + name
        try data.write(to: URL(fileURLWithPath: path))
        return path
    }

    /// A tokenizer of the 256 bytes and a few merges.
    public mutating func addTokenizer(
        merges: [String] = ["h e", "l l", "he ll"], extra: [String] = ["he", "ll", "hell"]
    ) {
        let printable = Set(Array(33...126) + Array(161...172) + Array(174...255))
        var next = 256
        let bytes = (0..<256).map { byte -> String in
            if printable.contains(byte) { return String(Character(Unicode.Scalar(UInt8(byte)))) }
            defer { next += 1 }
            return String(Character(Unicode.Scalar(UInt32(next))!))
        }
        let tokens = bytes + extra + ["<|end|>"]
        add("tokenizer.ggml.model", "gpt2")
        add("tokenizer.ggml.pre", "gpt-2")
        add("tokenizer.ggml.tokens", tokens)
        add("tokenizer.ggml.token_type", [Int32](repeating: 1, count: tokens.count - 1) + [3])
        add("tokenizer.ggml.merges", merges)
        add("tokenizer.ggml.eos_token_id", UInt32(tokens.count - 1))
    }
}
