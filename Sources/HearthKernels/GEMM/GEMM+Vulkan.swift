import HearthCompute
import HearthRoofline

extension GEMM {
    /// Where the matrices of one launch lie: strides in elements from one of a batch to the next.
    struct VulkanOperands {
        var a, b, c: Tensor
        var batch = 1
        var aBatch = 0
        var bBatch = 0
        var cBatch = 0
    }

    /// Rows that a product too large for one storage range is cut at: so many rows of every format are a multiple of 256 bytes,
    /// the coarsest alignment that a device may ask of a binding.
    private static let cut = 128

    static func encodeVulkan(
        _ p: Problem, _ operands: VulkanOperands, _ options: Options, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let limit = encoder.device.storageRange ?? .max
        let isLong = CommandEncoder.work(cost(p)) > encoder.workLimit && operands.batch == 1
        let (a, b, c) = (operands.a, operands.b, operands.c)
        if operands.batch > 1, [a, b, c].contains(where: { $0.spannedByteCount > limit }) {
            throw DeviceError(
                .invalid, "GEMM: a batch of \(operands.batch) products exceeds the storage range \(limit)")
        }
        // Halved along n, then along m, until every operand fits one binding and the work one submission.
        if b.spannedByteCount > limit || (c.spannedByteCount > limit || isLong) && p.n >= p.m, p.n > cut {
            let half = (p.n / 2 + cut - 1) / cut * cut
            for range in [0..<half, half..<p.n] {
                var (part, some) = (operands, options)
                (part.b, part.c) = (b.rows(range), c.columns(range))
                some.bias = options.bias?.rows(range)
                try encodeVulkan(p.with(m: p.m, n: range.count), part, some, &encoder)
            }
        } else if a.spannedByteCount > limit || c.spannedByteCount > limit || isLong, p.m > cut {
            let half = (p.m / 2 + cut - 1) / cut * cut
            for range in [0..<half, half..<p.m] {
                var part = operands
                (part.a, part.c) = (a.rows(range), c.rows(range))
                try encodeVulkan(p.with(m: range.count, n: p.n), part, options, &encoder)
            }
        } else {
            try launch(p, operands, options, &encoder)
        }
    }

    private static func launch(
        _ p: Problem, _ at: VulkanOperands, _ options: Options, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let device = encoder.device
        let work = cost(p) * Double(at.batch)
        let isVector = p.m == 1 && (at.a.strides.last == 1 || p.k == 1) && (at.b.strides.last == 1 || p.k == 1)
        if isVector, p.activations == .f32 {
            let variant = try ShaderCatalog.variant("gemv_\(p.weights)", for: device)
            let groups = grid((p.n + variant.tile.columns - 1) / variant.tile.columns)
            return try encoder.dispatch(
                variant, constants: constants(p, at), reads: [at.a, at.b, options.bias ?? at.a], writes: [at.c],
                push: push(p, at, options, splits: 1),
                groups: (groups.x, groups.y, at.batch), cost: work)
        }
        let operation = operation(p, device)
        let tuned = Tuning.variant(operation, rows: p.m, on: device)
        let variant = try ShaderCatalog.variant(
            operation, for: device, tuned: tuned, isBetter: { time(p, $0) < time(p, $1) })
        let tiles = (
            x: (p.n + variant.tile.columns - 1) / variant.tile.columns,
            y: (p.m + variant.tile.rows - 1) / variant.tile.rows
        )
        if p.weights == .i8 {
            return try encoder.dispatch(
                variant, constants: constants(p, at), reads: [at.a, at.b], writes: [at.c],
                push: push(p, at, options, splits: 1), groups: (tiles.x, tiles.y, 1), cost: work)
        }
        let splits = splits(p, workgroups: tiles.x * tiles.y * at.batch, device)
        let groups = (tiles.x, tiles.y, at.batch * splits)
        let push = push(p, at, options, splits: splits)
        let reads = [at.a, at.b, options.bias ?? at.a]
        let constants = constants(p, at) + variant.constants
        if splits == 1 {
            return try encoder.dispatch(
                variant, constants: constants, reads: reads, writes: [at.c], push: push, groups: groups, cost: work)
        }
        let parts = try device.makeTensor(.f32, [at.batch, splits, p.m, p.n])
        try encoder.dispatch(
            variant, constants: constants, reads: reads, writes: [parts], push: push, groups: groups, cost: work)
        let reduce = grid((p.m * p.n + 63) / 64)
        try encoder.dispatch(
            "gemm_reduce_\(p.outputs)", reads: [parts, options.bias ?? at.a], writes: [at.c], push: push,
            groups: (reduce.x, reduce.y, at.batch))
    }

    /// With f32 activations rounded where that is allowed and of use.
    private static func operation(_ p: Problem, _ device: Device) -> String {
        let rounded = "gemm_rounded_\(p.weights)_f32"
        let isRounded = p.mayRound && p.activations == .f32 && ShaderCatalog.has(rounded, on: device)
        return isRounded ? rounded : "gemm_\(p.activations)_\(p.weights)_\(p.outputs)"
    }

    /// Whether matrix units can make the product.
    static func hasMatrixUnits(_ p: Problem, _ device: Device) -> Bool {
        p.m > 1
            && ShaderCatalog.variants(of: operation(p, device)).contains {
                $0.name.hasPrefix("matrix") && $0.runs(on: device)
            }
    }

    /// A relative time of `variant`: what its workgroups compute, padding included, and what they load for it.
    private static func time(_ p: Problem, _ variant: ShaderVariant) -> Double {
        let (rows, columns) = variant.tile
        let (y, x) = ((p.m + rows - 1) / rows, (p.n + columns - 1) / columns)
        let work = Double(y * rows * x * columns)
        // Few workgroups leave most of a GPU idle.
        let idle = variant.width == .wide ? max(1, 64 / Double(x * y)) : 1
        // What matrix units are faster by, at the least.
        let speed = variant.width == .wide && variant.name.hasPrefix("matrix") ? 4.0 : 1
        return work * (1 + 8 / Double(rows) + 8 / Double(columns)) * idle / speed
    }

    /// Parts of k, each summed by workgroups of its own, where tiles alone are too few for a GPU.
    private static func splits(_ p: Problem, workgroups: Int, _ device: Device) -> Int {
        if let forced = device.forced.withLock({ $0.splits }) { return max(1, min(forced, (p.k + 255) / 256)) }
        if device.description.kind == .software || workgroups >= 64 { return 1 }
        return max(1, min(64 / workgroups, p.k / 1024, 16))
    }

    /// A_IS_WHOLE and B_IS_WHOLE of Shaders/tile/product.slang.
    private static func constants(_ p: Problem, _ at: VulkanOperands) -> [UInt32] {
        [(at.a, at.aBatch), (at.b, at.bBatch)].map { tensor, batch in
            let strides = tensor.strides.suffix(2)
            return strides.last == 1 && p.k % 8 == 0 && strides.first! % 8 == 0 && batch % 8 == 0 ? 1 : 0
        }
    }

    /// `Product` of Shaders/tile/product.slang.
    private static func push(_ p: Problem, _ at: VulkanOperands, _ options: Options, splits: Int) -> [UInt32] {
        let (a, b, c) = (at.a.strides.suffix(2), at.b.strides.suffix(2), at.c.strides.suffix(2))
        let sizes =
            [p.m, p.n, p.k] + a + b + [c.first!, at.aBatch, at.bBatch, at.cBatch, splits]
            + [Int(options.activation.code.rawValue), options.bias == nil ? 0 : 1]
        return sizes.map(UInt32.init) + [options.alpha.bitPattern, options.beta.bitPattern]
    }
}

extension GEMM.Problem {
    fileprivate func with(m: Int, n: Int) -> GEMM.Problem {
        var part = GEMM.Problem(m: m, n: n, k: k, weights: weights, activations: activations, outputs: outputs)
        part.mayRound = mayRound
        return part
    }
}

extension Tensor {
    fileprivate func columns(_ range: Range<Int>) -> Tensor {
        Tensor(
            buffer, dtype: dtype, shape: [shape[0], range.count], strides: strides,
            byteOffset: byteOffset + range.lowerBound * strides[1] * dtype.blockByteCount)
    }
}
