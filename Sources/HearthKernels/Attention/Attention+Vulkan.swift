import HearthCompute
import HearthRoofline

extension Attention {
    /// Keys of one split of a decode step (SPLIT_KEYS of attention.slang). More splits than there are keys for change no bit.
    package static let keysPerSplit = 128

    /// Queries that long work is cut at: so many rows of every operand, a mask of bytes included, are a multiple of 256 bytes, the
    /// coarsest alignment that a device may ask of a binding.
    private static let cut = 256

    /// One launch, or several where one alone would take longer than a submission should. The variant is chosen once, from the
    /// whole: cutting changes no bit.
    ///
    /// - Returns: what multiplied, for the share of its ceiling.
    static func encodeVulkan(
        _ p: Problem, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ options: Options, _ o: Tensor, _ lse: Tensor,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) -> Arithmetic {
        try require(
            p.queries == .f32 || p.queries == p.keys, "Attention",
            "on \(encoder.device.selector) \(p.queries) queries take no \(p.keys) keys")
        // Matrix units want rows enough, and a tile that holds the head; software devices take them when forced. Scores that stay
        // in registers are faster than those in memory.
        let isSoftware = encoder.device.description.kind == .software
        func rank(_ v: ShaderVariant) -> Int {
            if v.tile.rows == 0 { return isSoftware ? 0 : 10_000 }
            return 2 * v.tile.columns + (v.features.contains("cooperative-matrix2") ? 1 : 2)
        }
        let variant = try ShaderCatalog.variant(
            "attention_\(p.queries)_\(p.keys)", for: encoder.device,
            where: { $0.tile.rows == 0 || p.tq > 1 && p.d <= $0.tile.columns },
            isBetter: { rank($0) < rank($1) })
        let splits = p.tq == 1 ? max(1, (p.tk + keysPerSplit - 1) / keysPerSplit) : 1
        try encode(p, q, k, v, options, o, lse, variant, splits, &encoder)
        return variant.tile.rows > 0 ? .f16Matrix : .f32
    }

    private static func encode(
        _ p: Problem, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ options: Options, _ o: Tensor, _ lse: Tensor,
        _ variant: ShaderVariant, _ splits: Int, firstSequence: Int = 0, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let isLong = CommandEncoder.work(cost(p)) > encoder.workLimit(of: variant.shader)
        if isLong, p.b > 1, options.pages == nil, isAligned([q, k, v, o, lse] + [options.mask].compactMap { $0 }) {
            for i in 0..<p.b {
                let one = i..<i + 1
                try encode(
                    p.with(b: 1), q.rows(one), k.rows(one), v.rows(one), options.ofSequence(i), o.rows(one),
                    lse.rows(one), variant, splits, firstSequence: i, &encoder)
            }
        } else if isLong, p.b == 1, p.tq > cut {
            let half = (p.tq / 2 + cut - 1) / cut * cut
            for range in [0..<half, half..<p.tq] {
                var some = options
                some.mask = options.mask?.queries(range)
                try encode(
                    p.with(tq: range.count, offset: p.offset + range.lowerBound), q.queries(range, of: 1), k, v,
                    some,
                    o.queries(range, of: 1), lse.queries(range, of: 1), variant, splits,
                    firstSequence: firstSequence, &encoder)
            }
        } else {
            try launch(p, q, k, v, options, o, lse, variant, splits, firstSequence, &encoder)
        }
    }

    /// Whether every sequence begins where a binding may.
    private static func isAligned(_ tensors: [Tensor]) -> Bool {
        tensors.allSatisfy { $0.strides[0] * $0.dtype.blockByteCount / $0.dtype.blockLength % 256 == 0 }
    }

    private static func launch(
        _ p: Problem, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ options: Options, _ o: Tensor, _ lse: Tensor,
        _ variant: ShaderVariant, _ splits: Int, _ firstSequence: Int, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let (group, head) = (p.hq / p.hkv, [64, 128, 256, 512].first { $0 >= p.d }!)
        let rows = p.tq * group
        // Rows of a workgroup: as many as its registers hold, no more than there are.
        let most = head <= 64 ? 16 : head <= 128 ? 8 : 4
        let held = variant.tile.rows > 0 ? variant.tile.rows : [1, 2, 4, 8, 16].first { $0 >= min(rows, most) }!
        let blocks = (rows + held - 1) / held
        let perSequence = options.pages == nil ? k.shape[1] * p.hkv * p.d : 0
        var push = [p.tq, p.tk, p.hq, p.hkv, p.d, perSequence].map(UInt32.init)
        push += [UInt32(bitPattern: Int32(p.offset)), UInt32(p.window ?? 0), p.isCausal ? 1 : 0]
        push += strides(options.mask) + [UInt32(splits), UInt32(options.pages?.shape[1] ?? 0)]
        push += [(options.scale ?? 1 / Float(p.d).squareRoot()).bitPattern, (options.softcap ?? 0).bitPattern]
        push += [UInt32(k.shape[0]), UInt32(firstSequence)]
        let mask: UInt32 = options.mask.map { $0.dtype == .f32 ? 1 : 2 } ?? 0
        let constants =
            [UInt32(held), UInt32(head), p.d % 8 == 0 ? 1 : 0, mask, options.softcap == nil ? 0 : 1]
            + [options.pages == nil ? 0 : UInt32(k.shape[1]), options.keyCounts == nil ? 0 : 1]
        let reads = [q, k, v, options.mask ?? q, options.pages ?? q, options.keyCounts ?? q]
        let groups = (blocks * splits, p.hkv, p.b)
        if splits == 1 {
            return try encoder.dispatch(
                variant, constants: constants, reads: reads, writes: [o, lse], push: push, groups: groups,
                cost: cost(p))
        }
        let all = p.b * p.tq * p.hq
        let sums = try encoder.scratch("attention sums", [all, splits, p.d])
        let states = try encoder.scratch("attention states", [all, splits, 2])
        try encoder.dispatch(
            variant, constants: constants, reads: reads, writes: [sums, states], push: push, groups: groups,
            cost: cost(p))
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

extension Tensor {
    /// Queries `range` of a tensor whose dimension `dimension` they are; of a mask the third.
    fileprivate func queries(_ range: Range<Int>, of dimension: Int = 2) -> Tensor {
        var shape = shape
        shape[dimension] = range.count
        return Tensor(
            buffer, dtype: dtype, shape: shape, strides: strides,
            byteOffset: byteOffset + range.lowerBound * strides[dimension] * dtype.blockByteCount)
    }
}
