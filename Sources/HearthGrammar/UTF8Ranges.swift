extension ScalarSet {
    /// The UTF-8 encodings of the set, as sequences of byte ranges of one to four bytes.
    var byteSequences: [[ClosedRange<UInt8>]] {
        var sequences: [[ClosedRange<UInt8>]] = []
        let ends: [UInt32] = [0x7F, 0x7FF, 0xFFFF, 0x10FFFF]
        for range in ranges {
            var low = range.lowerBound
            for (length, end) in ends.enumerated() where low <= min(range.upperBound, end) {
                Self.split(low, min(range.upperBound, end), continuations: length, into: &sequences)
                low = end + 1
            }
        }
        return sequences
    }

    /// Cuts a range of encodings of one length where not all its trailing bytes run through their whole range.
    private static func split(
        _ low: UInt32, _ high: UInt32, continuations: Int, into sequences: inout [[ClosedRange<UInt8>]]
    ) {
        for level in 1..<max(continuations + 1, 1) {
            let mask = UInt32(1) << (6 * UInt32(level)) - 1
            if low & ~mask == high & ~mask { continue }
            if low & mask != 0 {
                split(low, low | mask, continuations: continuations, into: &sequences)
                return split((low | mask) + 1, high, continuations: continuations, into: &sequences)
            }
            if high & mask != mask {
                split(low, (high & ~mask) - 1, continuations: continuations, into: &sequences)
                return split(high & ~mask, high, continuations: continuations, into: &sequences)
            }
        }
        let (first, last) = (encoded(low, continuations), encoded(high, continuations))
        sequences.append(zip(first, last).map { $0...$1 })
    }

    private static func encoded(_ scalar: UInt32, _ continuations: Int) -> [UInt8] {
        if continuations == 0 { return [UInt8(scalar)] }
        let lead: [UInt8] = [0, 0xC0, 0xE0, 0xF0]
        let tail = (0..<continuations).reversed().map { UInt8(scalar >> (6 * UInt32($0)) & 0x3F) | 0x80 }
        return [lead[continuations] | UInt8(scalar >> (6 * UInt32(continuations)))] + tail
    }
}

/// 256 bits.
struct ByteSet: Sendable, Hashable {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    init(_ ranges: [ClosedRange<UInt8>]) {
        for range in ranges { for byte in range { insert(byte) } }
    }

    private mutating func insert(_ byte: UInt8) {
        let bit = UInt64(1) << UInt64(byte & 63)
        switch byte >> 6 {
        case 0: words.0 |= bit
        case 1: words.1 |= bit
        case 2: words.2 |= bit
        default: words.3 |= bit
        }
    }

    func contains(_ byte: UInt8) -> Bool {
        let word =
            switch byte >> 6 {
            case 0: words.0
            case 1: words.1
            case 2: words.2
            default: words.3
            }
        return word >> UInt64(byte & 63) & 1 == 1
    }

    static func == (a: ByteSet, b: ByteSet) -> Bool { a.words == b.words }

    func hash(into hasher: inout Hasher) {
        for word in [words.0, words.1, words.2, words.3] { hasher.combine(word) }
    }
}
