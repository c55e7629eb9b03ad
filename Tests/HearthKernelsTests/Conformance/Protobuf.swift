import Foundation

/// As much of protobuf's wire format as ONNX's test vectors need.
enum Protobuf {
    struct Malformed: Error {}

    struct Field {
        let number: Int
        /// Of a varint or fixed field.
        let bits: UInt64
        /// Of a length-delimited field.
        let bytes: Data
        let isDelimited: Bool

        func integer() throws -> Int {
            if isDelimited { throw Malformed() }
            return Int(truncatingIfNeeded: bits)
        }

        /// A repeated integer, packed or not.
        func integers() throws -> [Int] {
            if !isDelimited { return [Int(truncatingIfNeeded: bits)] }
            var (reader, all) = (Reader(data: bytes), [Int]())
            while !reader.isAtEnd { all.append(Int(truncatingIfNeeded: try reader.varint())) }
            return all
        }

        var float: Float { Float(bitPattern: UInt32(truncatingIfNeeded: bits)) }
        var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    static func fields(of data: Data) throws -> [Field] {
        var (reader, all) = (Reader(data: data), [Field]())
        while !reader.isAtEnd {
            let tag = try reader.varint()
            let number = Int(tag >> 3)
            switch tag & 7 {
            case 0: all.append(Field(number: number, bits: try reader.varint(), bytes: Data(), isDelimited: false))
            case 1: all.append(Field(number: number, bits: try reader.fixed(8), bytes: Data(), isDelimited: false))
            case 5: all.append(Field(number: number, bits: try reader.fixed(4), bytes: Data(), isDelimited: false))
            case 2:
                let count = Int(clamping: try reader.varint())
                all.append(Field(number: number, bits: 0, bytes: try reader.take(count), isDelimited: true))
            default: throw Malformed()
            }
        }
        return all
    }

    private struct Reader {
        let data: Data
        var offset = 0
        init(data: Data) { self.data = Data(data) }
        var isAtEnd: Bool { offset >= data.count }

        mutating func take(_ count: Int) throws -> Data {
            guard count >= 0, count <= data.count - offset else { throw Malformed() }
            defer { offset += count }
            return data.subdata(in: offset..<offset + count)
        }

        mutating func fixed(_ count: Int) throws -> UInt64 {
            try take(count).enumerated().reduce(0) { $0 | UInt64($1.element) << (8 * UInt64($1.offset)) }
        }

        mutating func varint() throws -> UInt64 {
            var value: UInt64 = 0
            for shift in stride(from: UInt64(0), to: 64, by: 7) {
                let byte = try take(1)[0]
                value |= UInt64(byte & 127) << shift
                if byte & 128 == 0 { return value }
            }
            throw Malformed()
        }
    }
}
