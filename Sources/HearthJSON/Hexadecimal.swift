extension Sequence<UInt8> {
    /// Two digits a byte, small letters: as digests and key ids are written.
    public var hexadecimal: String { map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

    /// Whether these are `count` digits, small letters, as `hexadecimal` writes them.
    public func isHexadecimal(_ count: Int) -> Bool {
        var left = count
        for byte in self {
            guard left > 0, (48...57).contains(byte) || (97...102).contains(byte) else { return false }
            left -= 1
        }
        return left == 0
    }
}
