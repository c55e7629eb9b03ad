extension Cast {
    /// Bits of the bf16 nearest to `x`, of two as near the even one.
    package static func bfloat16Reference(_ x: Float) -> UInt16 {
        if x.isNaN { return UInt16(x.bitPattern >> 16) | 0x40 }
        let low = UInt16(x.bitPattern >> 16)
        let rest = x.bitPattern & 0xffff
        return rest > 0x8000 || rest == 0x8000 && low % 2 == 1 ? low + 1 : low
    }

    /// Bits of f32 values as f16; Swift rounds to nearest even.
    package static func reference(_ x: [Float]) -> [UInt16] { x.map { Float16($0).bitPattern } }
}
