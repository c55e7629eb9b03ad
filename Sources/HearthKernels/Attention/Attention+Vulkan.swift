import HearthCompute

extension Attention {
    /// Keys of one split of a decode step (SPLIT_KEYS of attention.slang).
    private static let keysPerSplit = 512

    static func encodeVulkan(
        _ p: Problem, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ options: Options, _ o: Tensor, _ lse: Tensor,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        try require(
            p.queries == .f32 || p.queries == p.keys, "Attention",
            "on \(encoder.device.selector) \(p.queries) queries take no \(p.keys) keys")
        let variant = try ShaderCatalog.variant("attention_\(p.queries)_\(p.keys)", for: encoder.device)
        let (group, head) = (p.hq / p.hkv, [64, 128, 256, 512].first { $0 >= p.d }!)
        let rows = p.tq * group
        // Rows of a workgroup: as many as its registers hold, no more than there are.
        let most = head <= 64 ? 16 : head <= 128 ? 8 : 4
        let held = [1, 2, 4, 8, 16].first { $0 >= min(rows, most) }!
        let blocks = (rows + held - 1) / held
        let splits = p.tq == 1 ? max(1, (p.tk + keysPerSplit - 1) / keysPerSplit) : 1
        let perSequence = options.pages == nil ? k.shape[1] * p.hkv * p.d : 0
        var push = [p.tq, p.tk, p.hq, p.hkv, p.d, perSequence].map(UInt32.init)
        push += [UInt32(bitPattern: Int32(p.offset)), UInt32(p.window ?? 0), p.isCausal ? 1 : 0]
        push += strides(options.mask) + [UInt32(splits), UInt32(options.pages?.shape[1] ?? 0)]
        push += [(options.scale ?? 1 / Float(p.d).squareRoot()).bitPattern, (options.softcap ?? 0).bitPattern]
        let mask: UInt32 = options.mask.map { $0.dtype == .f32 ? 1 : 2 } ?? 0
        let constants =
            [UInt32(held), UInt32(head), p.d % 8 == 0 ? 1 : 0, mask, options.softcap == nil ? 0 : 1]
            + [options.pages == nil ? 0 : UInt32(k.shape[1])]
        let reads = [q, k, v, options.mask ?? q, options.pages ?? q]
        let groups = (blocks * splits, p.hkv, p.b)
        if splits == 1 {
            return try encoder.dispatch(
                variant, constants: constants, reads: reads, writes: [o, lse], push: push, groups: groups)
        }
        let all = p.b * p.tq * p.hq
        let sums = try encoder.device.makeTensor(.f32, [all, splits, p.d])
        let states = try encoder.device.makeTensor(.f32, [all, splits, 2])
        try encoder.dispatch(
            variant, constants: constants, reads: reads, writes: [sums, states], push: push, groups: groups)
        try encoder.dispatch(
            "attention_combine", reads: [sums, states], writes: [o, lse],
            push: [UInt32(all), UInt32(splits), UInt32(p.d)],
            groups: grid(all))
    }

    /// Of a mask `[B or 1, Hq or 1, Tq, Tk]`, 0 along dimensions that share.
    private static func strides(_ mask: Tensor?) -> [UInt32] {
        guard let mask else { return [0, 0, 0] }
        return (0..<3).map { mask.shape[$0] == 1 && $0 < 2 ? 0 : UInt32(mask.strides[$0]) }
    }
}
