/// Reads header, metadata and tensor table of a GGUF v3 file.
struct GGUFParser {
    private var reader: ByteReader
    private var alignment = 32

    private static let maximumDimensions = 4
    private static let maximumNesting = 4

    init(file: String, bytes: UnsafeRawBufferPointer) { reader = ByteReader(file: file, bytes: bytes) }

    mutating func parse() throws(FormatError) -> ([String: GGUFValue], [String: Int], [String: GGUFTensor]) {
        guard try reader.read(UInt32.self, "the magic number") == 0x4655_4747 else {
            throw reader.error("not a GGUF file (no GGUF magic)", at: 0)
        }
        let version = try reader.read(UInt32.self, "the version")
        guard version == 3 else { throw reader.error("GGUF version \(version); only version 3 is supported", at: 4) }
        // The smallest tensor entry: name length, one dimension's count, type, offset. The smallest pair: key and value.
        let tensorCount = try reader.readCount(elementSize: 24, "the tensor count")
        let pairCount = try reader.readCount(elementSize: 13, "the metadata count")

        var metadata: [String: GGUFValue] = [:]
        var offsets: [String: Int] = [:]
        for index in 0..<pairCount {
            let start = reader.offset
            let key = try reader.readString("metadata key \(index)")
            let type = try readType(of: key)
            let position = reader.offset
            let value = try readValue(type, key, depth: 0)
            guard metadata.updateValue(value, forKey: key) == nil else {
                throw reader.error("metadata key \(key) occurs twice", at: start)
            }
            offsets[key] = position
        }
        try readAlignment(metadata, offsets)
        return (metadata, offsets, try readTensors(tensorCount))
    }

    private mutating func readType(of key: String) throws(FormatError) -> GGUFValueType {
        let start = reader.offset
        let number = try reader.read(UInt32.self, "the type of \(key)")
        guard let type = GGUFValueType(rawValue: number) else {
            throw reader.error("\(key) has unknown value type \(number)", at: start)
        }
        return type
    }

    private mutating func readValue(_ type: GGUFValueType, _ key: String, depth: Int) throws(FormatError) -> GGUFValue {
        switch type {
        case .uint8: .unsigned(UInt64(try reader.read(UInt8.self, key)))
        case .uint16: .unsigned(UInt64(try reader.read(UInt16.self, key)))
        case .uint32: .unsigned(UInt64(try reader.read(UInt32.self, key)))
        case .uint64: .unsigned(try reader.read(UInt64.self, key))
        case .int8: .signed(Int64(try reader.read(Int8.self, key)))
        case .int16: .signed(Int64(try reader.read(Int16.self, key)))
        case .int32: .signed(Int64(try reader.read(Int32.self, key)))
        case .int64: .signed(try reader.read(Int64.self, key))
        case .float32: .float(Double(try reader.read(Float.self, key)))
        case .float64: .float(try reader.read(Double.self, key))
        case .bool: .bool(try readBool(key))
        case .string: .string(try reader.readString(key))
        case .array: try readArray(key, depth: depth + 1)
        }
    }

    private mutating func readBool(_ key: String) throws(FormatError) -> Bool {
        let value = try reader.read(UInt8.self, key)
        guard value <= 1 else { throw reader.error("\(key) is \(value), not a bool", at: reader.offset - 1) }
        return value == 1
    }

    private mutating func readArray(_ key: String, depth: Int) throws(FormatError) -> GGUFValue {
        guard depth <= Self.maximumNesting else { throw reader.error("\(key) nests arrays too deeply") }
        let type = try readType(of: "the elements of \(key)")
        let count = try reader.readCount(elementSize: type.minimumByteCount, "the length of \(key)")
        switch type {
        case .string:
            var values: [String] = []
            values.reserveCapacity(count)
            for index in 0..<count { values.append(try reader.readString("\(key)[\(index)]")) }
            return .strings(values)
        case .array:
            var values: [GGUFValue] = []
            for index in 0..<count { values.append(try readArray("\(key)[\(index)]", depth: depth + 1)) }
            return .arrays(values)
        case .float32, .float64:
            var values: [Double] = []
            values.reserveCapacity(count)
            for _ in 0..<count {
                guard case .float(let value) = try readValue(type, key, depth: depth) else { continue }
                values.append(value)
            }
            return .floats(values)
        case .bool:
            var values: [Bool] = []
            for _ in 0..<count { values.append(try readBool(key)) }
            return .bools(values)
        default:
            var values: [Int64] = []
            values.reserveCapacity(count)
            for _ in 0..<count {
                switch try readValue(type, key, depth: depth) {
                case .signed(let value): values.append(value)
                case .unsigned(let value): values.append(Int64(truncatingIfNeeded: value))
                default: break
                }
            }
            return .integers(values)
        }
    }

    private mutating func readAlignment(_ metadata: [String: GGUFValue], _ offsets: [String: Int]) throws(FormatError) {
        guard let value = metadata["general.alignment"] else { return }
        guard case .unsigned(let bytes) = value, bytes >= 1, bytes <= 1 << 20, bytes & (bytes - 1) == 0 else {
            throw reader.error("general.alignment is not a power of two up to 2^20", at: offsets["general.alignment"])
        }
        alignment = Int(bytes)
    }

    // MARK: Tensors

    private struct Entry {
        let name: String
        let type: GGUFType
        let shape: [Int]
        let byteCount: Int
        let relativeOffset: Int
        let position: Int
    }

    private mutating func readTensors(_ count: Int) throws(FormatError) -> [String: GGUFTensor] {
        var entries: [Entry] = []
        entries.reserveCapacity(count)
        for index in 0..<count { entries.append(try readEntry(index)) }
        let dataStart = (reader.offset + alignment - 1) / alignment * alignment
        var tensors: [String: GGUFTensor] = [:]
        for entry in entries {
            let (start, overflow) = dataStart.addingReportingOverflow(entry.relativeOffset)
            guard !overflow, start <= reader.bytes.count, entry.byteCount <= reader.bytes.count - start else {
                throw reader.error(
                    "tensor \(entry.name) of \(entry.byteCount) bytes at data offset \(entry.relativeOffset) leaves the file of \(reader.bytes.count) bytes",
                    at: entry.position)
            }
            let tensor = GGUFTensor(
                name: entry.name, type: entry.type, shape: entry.shape, byteRange: start..<start + entry.byteCount,
                entryOffset: entry.position)
            guard tensors.updateValue(tensor, forKey: entry.name) == nil else {
                throw reader.error("tensor \(entry.name) occurs twice", at: entry.position)
            }
        }
        return tensors
    }

    private mutating func readEntry(_ index: Int) throws(FormatError) -> Entry {
        let position = reader.offset
        let name = try reader.readString("the name of tensor \(index)")
        let dimensions = try reader.read(UInt32.self, "tensor \(name)")
        guard (1...Self.maximumDimensions).contains(Int(dimensions)) else {
            throw reader.error("tensor \(name) has \(dimensions) dimensions, not 1...4", at: position)
        }
        var shape: [Int] = []
        var elements = 1
        for _ in 0..<dimensions {
            let extent = try reader.read(UInt64.self, "the shape of tensor \(name)")
            let (product, overflow) = elements.multipliedReportingOverflow(by: Int(clamping: extent))
            guard extent >= 1, extent <= UInt64(Int32.max), !overflow else {
                throw reader.error("tensor \(name) has an impossible extent \(extent)", at: reader.offset - 8)
            }
            elements = product
            shape.insert(Int(extent), at: 0)
        }
        let number = try reader.read(UInt32.self, "the type of tensor \(name)")
        guard let type = GGUFType.all.first(where: { $0.number == number }) else {
            throw reader.error("tensor \(name) has unknown type \(number)", at: reader.offset - 4)
        }
        guard shape[shape.count - 1] % type.blockLength == 0 else {
            throw reader.error(
                "tensor \(name): rows of \(shape[shape.count - 1]) are not whole \(type) blocks", at: position)
        }
        let (byteCount, overflow) = (elements / type.blockLength).multipliedReportingOverflow(by: type.blockByteCount)
        guard !overflow else { throw reader.error("tensor \(name) is impossibly large", at: position) }
        let offset = try reader.read(UInt64.self, "the offset of tensor \(name)")
        guard offset <= UInt64(Int.max), offset % UInt64(alignment) == 0 else {
            throw reader.error(
                "tensor \(name): offset \(offset) is not a multiple of \(alignment)", at: reader.offset - 8)
        }
        return Entry(
            name: name, type: type, shape: shape, byteCount: byteCount, relativeOffset: Int(offset), position: position)
    }
}
