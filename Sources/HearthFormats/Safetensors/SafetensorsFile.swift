import Foundation

/// A safetensors file: a JSON header and the tensors' bytes, mapped.
///
/// - Source: the safetensors format description: 8 bytes of header length, the header, the data.
public struct SafetensorsFile: Sendable {
    public struct Entry: Sendable, Hashable {
        public let dtype: String
        public let shape: [Int]
        /// Absolute bytes in the file.
        public let byteRange: Range<Int>
    }

    public let file: MappedFile
    public let tensors: [String: Entry]
    /// The header's `__metadata__`.
    public let metadata: [String: String]

    static let maximumHeaderByteCount = 100_000_000
    private static let elementByteCounts = [
        "BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4,
        "U32": 4, "F32": 4, "F64": 8, "I64": 8, "U64": 8,
    ]

    public init(path: String) throws { try self.init(MappedFile(path: path)) }

    public init(_ file: MappedFile) throws(FormatError) {
        self.file = file
        var reader = ByteReader(file: file.path, bytes: file.bytes)
        let length = try reader.readCount(elementSize: 1, "the header length")
        guard length >= 2, length <= Self.maximumHeaderByteCount else {
            throw reader.error("a header of \(length) bytes", at: 0)
        }
        let header = Data(file.bytes[8..<8 + length])
        let parsed: [String: Any]
        do {
            guard let object = try JSONSerialization.jsonObject(with: header) as? [String: Any] else {
                throw reader.error("the header is not a JSON object")
            }
            parsed = object
        } catch {
            throw (error as? FormatError) ?? reader.error("the header is not JSON: \(error.localizedDescription)")
        }
        var tensors: [String: Entry] = [:]
        var metadata: [String: String] = [:]
        for (name, value) in parsed {
            if name == "__metadata__" {
                // As mlx writes that there is none.
                if value is NSNull { continue }
                guard let pairs = value as? [String: String] else {
                    throw reader.error("__metadata__ is not an object of strings")
                }
                metadata = pairs
            } else {
                tensors[name] = try Self.entry(name, value, dataStart: 8 + length, reader)
            }
        }
        try Self.checkCoverage(tensors, dataStart: 8 + length, reader)
        self.tensors = tensors
        self.metadata = metadata
    }

    public func bytes(of entry: Entry) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: file.bytes[entry.byteRange])
    }

    private static func entry(_ name: String, _ value: Any, dataStart: Int, _ reader: ByteReader) throws(FormatError)
        -> Entry
    {
        guard let fields = value as? [String: Any], let dtype = fields["dtype"] as? String,
            let shape = fields["shape"] as? [Int], let offsets = fields["data_offsets"] as? [Int], offsets.count == 2
        else { throw reader.error("tensor \(name) lacks dtype, shape or data_offsets") }
        guard let size = elementByteCounts[dtype] else {
            throw reader.error("tensor \(name) has unknown dtype \(dtype)")
        }
        var byteCount = size
        for extent in shape {
            let (product, overflow) = byteCount.multipliedReportingOverflow(by: extent)
            guard extent >= 0, !overflow else { throw reader.error("tensor \(name) has an impossible shape \(shape)") }
            byteCount = product
        }
        let room = reader.bytes.count - dataStart
        guard offsets[0] >= 0, offsets[1] >= offsets[0], offsets[1] <= room else {
            throw reader.error("tensor \(name) at \(offsets) leaves the \(room) bytes of data")
        }
        guard offsets[1] - offsets[0] == byteCount else {
            throw reader.error("tensor \(name): \(offsets[1] - offsets[0]) bytes for shape \(shape) of \(dtype)")
        }
        return Entry(dtype: dtype, shape: shape, byteRange: dataStart + offsets[0]..<dataStart + offsets[1])
    }

    /// The format wants the data covered without holes or overlaps, so that nothing hides in a file.
    private static func checkCoverage(_ tensors: [String: Entry], dataStart: Int, _ reader: ByteReader)
        throws(FormatError)
    {
        var end = dataStart
        for (name, entry) in tensors.sorted(by: {
            ($0.value.byteRange.lowerBound, $0.value.byteRange.upperBound)
                < ($1.value.byteRange.lowerBound, $1.value.byteRange.upperBound)
        }) {
            guard entry.byteRange.lowerBound == end else {
                throw reader.error(
                    "tensor \(name) leaves a hole or overlaps its neighbour", at: entry.byteRange.lowerBound)
            }
            end = entry.byteRange.upperBound
        }
        guard end == reader.bytes.count else {
            throw reader.error("\(reader.bytes.count - end) bytes after the last tensor", at: end)
        }
    }
}
