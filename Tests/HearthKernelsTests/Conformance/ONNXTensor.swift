import Foundation

/// A tensor of a test vector: its values as f64, whatever they were stored as.
struct ONNXTensor {
    /// TensorProto.DataType by its number.
    enum Element: Int {
        case float = 1, uint8 = 2, int8 = 3, uint16 = 4, int16 = 5, int32 = 6, int64 = 7, bool = 9, float16 = 10
        case uint4 = 21, int4 = 22, uint2 = 25, int2 = 26

        /// The integers it holds; nil for floats.
        var range: ClosedRange<Int32>? {
            switch self {
            case .uint8: 0...255
            case .int8: -128...127
            case .uint16: 0...65535
            case .int16: -32768...32767
            case .uint4: 0...15
            case .int4: -8...7
            case .uint2: 0...3
            case .int2: -2...1
            default: nil
            }
        }
    }

    var name = ""
    var shape: [Int]
    /// nil for a type that Hearth has no name for; `values` is empty then.
    var element: Element?
    var typeNumber: Int
    var values: [Double]

    var floats: [Float] { values.map { Float($0) } }

    init(shape: [Int], _ values: [Double]) {
        (self.shape, element, typeNumber, self.values) = (shape, .float, 1, values)
    }

    init(_ data: Data) throws {
        var (dims, type, label, raw, integers) = ([Int](), 0, "", Data(), [Int]())
        for field in try Protobuf.fields(of: data) {
            switch field.number {
            case 1: dims += try field.integers()
            case 2: type = try field.integer()
            case 8: label = String(decoding: field.bytes, as: UTF8.self)
            case 9: raw = field.bytes
            case 5: integers += try field.integers()
            default: break
            }
        }
        // Without raw data, integers stand in varints of their own; those below a byte are packed first.
        if raw.isEmpty {
            let size = [2: 1, 3: 1, 4: 2, 5: 2, 6: 4][type] ?? 1
            for value in integers { withUnsafeBytes(of: value.littleEndian) { raw += $0.prefix(size) } }
        }
        (name, shape, typeNumber, element) = (label, dims, type, Element(rawValue: type))
        values = element.map { Self.decode(raw, $0, count: dims.reduce(1, *)) } ?? []
        if element != nil, values.count != dims.reduce(1, *) { throw Protobuf.Malformed() }
    }

    private static func decode(_ raw: Data, _ element: Element, count: Int) -> [Double] {
        func all<T: BitwiseCopyable>(_ type: T.Type, _ convert: (T) -> Double) -> [Double] {
            raw.withUnsafeBytes { bytes in
                (0..<bytes.count / MemoryLayout<T>.stride).map {
                    convert(bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.stride, as: type))
                }
            }
        }
        /// Elements of less than a byte, the first in the low bits.
        func narrow(_ bits: Int, isSigned: Bool) -> [Double] {
            (0..<min(count, raw.count * 8 / bits)).map { index in
                let byte = Int(raw[raw.startIndex + index * bits / 8])
                let value = byte >> (index * bits % 8) & (1 << bits - 1)
                return Double(isSigned && value >= 1 << (bits - 1) ? value - 1 << bits : value)
            }
        }
        switch element {
        case .float: return all(Float.self) { Double($0) }
        case .float16: return all(Float16.self) { Double($0) }
        case .uint8, .bool: return all(UInt8.self) { Double($0) }
        case .int8: return all(Int8.self) { Double($0) }
        case .uint16: return all(UInt16.self) { Double($0) }
        case .int16: return all(Int16.self) { Double($0) }
        case .int32: return all(Int32.self) { Double($0) }
        case .int64: return all(Int64.self) { Double($0) }
        case .uint4, .int4: return narrow(4, isSigned: element == .int4)
        case .uint2, .int2: return narrow(2, isSigned: element == .int2)
        }
    }

    /// The same elements with dimension `order[i]` at place i.
    func transposed(_ order: [Int]) -> ONNXTensor {
        let strides = Self.strides(shape)
        let newShape = order.map { shape[$0] }
        let newStrides = order.map { strides[$0] }
        var result = ONNXTensor(shape: newShape, [])
        result.element = element
        result.values = (0..<values.count).map { flat in
            var (rest, at) = (flat, 0)
            for dimension in newShape.indices.reversed() {
                at += rest % newShape[dimension] * newStrides[dimension]
                rest /= newShape[dimension]
            }
            return values[at]
        }
        return result
    }

    func reshaped(_ shape: [Int]) -> ONNXTensor {
        var result = self
        result.shape = shape
        return result
    }

    static func strides(_ shape: [Int]) -> [Int] {
        var strides = [Int](repeating: 1, count: shape.count)
        for i in stride(from: shape.count - 2, through: 0, by: -1) { strides[i] = strides[i + 1] * shape[i + 1] }
        return strides
    }
}
