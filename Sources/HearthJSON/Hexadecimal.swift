extension Sequence<UInt8> {
    /// Two digits a byte, small letters: as digests and key ids are written.
    public var hexadecimal: String { map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
}
