/// Turns token bytes into text as they come: an unfinished character waits for its remaining bytes.
public struct UTF8Stream: Sendable {
    private var pending: [UInt8] = []

    public init() {}

    /// The characters that `bytes` complete.
    public mutating func append(_ bytes: [UInt8]) -> String {
        pending += bytes
        let unfinished = Self.unfinishedCount(pending)
        defer { pending.removeFirst(pending.count - unfinished) }
        return String(decoding: pending.dropLast(unfinished), as: UTF8.self)
    }

    /// What is left at the end, with U+FFFD for an unfinished character.
    public mutating func finish() -> String {
        defer { pending = [] }
        return String(decoding: pending, as: UTF8.self)
    }

    /// Bytes at the end that begin a character which needs more than is there.
    private static func unfinishedCount(_ bytes: [UInt8]) -> Int {
        for back in 1...3 where back <= bytes.count {
            let byte = bytes[bytes.count - back]
            if byte & 0xc0 == 0x80 { continue }
            let length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
            return length > back ? back : 0
        }
        return 0
    }
}
