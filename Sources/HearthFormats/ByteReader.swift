/// A cursor over untrusted little-endian bytes: every read is bounds-checked and fails with its offset.
struct ByteReader {
    let file: String
    let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0

    init(file: String, bytes: UnsafeRawBufferPointer) {
        self.file = file
        self.bytes = bytes
    }

    var remaining: Int { bytes.count - offset }

    func error(_ message: String, at position: Int? = nil) -> FormatError {
        FormatError(file: file, byteOffset: position ?? offset, message)
    }

    mutating func read<T: BitwiseCopyable>(_ type: T.Type, _ what: @autoclosure () -> String) throws(FormatError) -> T {
        let size = MemoryLayout<T>.size
        guard remaining >= size else { throw error("the file ends inside \(what())") }
        defer { offset += size }
        return bytes.loadUnaligned(fromByteOffset: offset, as: type)
    }

    /// A 64-bit count that must leave room for `elementSize` bytes an element.
    mutating func readCount(elementSize: Int, _ what: @autoclosure () -> String) throws(FormatError) -> Int {
        let start = offset
        let value = try read(UInt64.self, what())
        guard value <= UInt64(remaining / max(1, elementSize)) else {
            throw error("\(what()) is \(value), more than the file can hold", at: start)
        }
        return Int(value)
    }

    mutating func readString(_ what: @autoclosure () -> String) throws(FormatError) -> String {
        let count = try readCount(elementSize: 1, "the length of \(what())")
        let start = offset
        offset += count
        guard let text = String(validating: bytes[start..<start + count], as: UTF8.self) else {
            throw error("\(what()) is not UTF-8", at: start)
        }
        return text
    }
}
