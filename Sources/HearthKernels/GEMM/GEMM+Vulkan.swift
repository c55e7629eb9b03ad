import HearthCompute
import HearthRoofline

extension GEMM {
    /// Where the matrices of one launch lie; a batch has three dimensions, one product two.
    struct VulkanOperands {
        var a, b, c: Tensor
        /// Where c is `activation(a B^T) * (a up^T)`, of one row: the other matrix, laid out as b.
        var up: Tensor?

        var batch: Int { c.shape.count == 3 ? c.shape[0] : 1 }
        func cost(_ p: Problem) -> Cost { up == nil ? GEMM.cost(p) : SwiGLU.cost(p) }
    }

    /// How a product is made, decided once from the whole of it: pieces that it is cut into for the device's limits are made the
    /// same way, so that cutting changes no bit.
    struct VulkanPlan {
        let variant: ShaderVariant
        /// One row of a, each element of c summed by one workgroup's invocations together.
        let isVector: Bool
        /// Parts that k is shared out to.
        let splits: Int

        var arithmetic: Arithmetic { variant.name.hasPrefix("matrix") ? .f16Matrix : .f32 }
    }

    static func plan(_ p: Problem, _ at: VulkanOperands, _ device: Device) throws(DeviceError) -> VulkanPlan {
        let areRows = [at.a, at.b].allSatisfy { $0.strides.last == 1 || p.k == 1 }
        if p.m == 1, areRows, p.activations == .f32 {
            return VulkanPlan(variant: try vectorVariant(p, device), isVector: true, splits: 1)
        }
        let rounded = "gemm_rounded_\(p.weights)_f32"
        let isRounded = p.mayRound && p.activations == .f32 && ShaderCatalog.has(rounded, on: device)
        let operation = isRounded ? rounded : "gemm_\(p.activations)_\(p.weights)_\(p.outputs)"
        // Tensor layouts load 16 bytes at once: rows are whole, or another variant takes them.
        let areWhole = constants(p, at).allSatisfy { $0 == 1 }
        var variant = try ShaderCatalog.variant(
            operation, for: device, tuned: Tuning.variant(operation, rows: p.m, on: device),
            where: { areWhole || !$0.features.contains("cooperative-matrix-workgroup") },
            isBetter: { time(p, $0) < time(p, $1) })
        if p.mayAccumulateInF16, p.activations == .f16 {
            let summed = ShaderCatalog.variants(of: "gemm_f16_f16_f16_summed_f16")
            variant = summed.first { $0.name == variant.name && $0.runs(on: device) } ?? variant
        }
        let workgroups = tiles(p, variant).x * tiles(p, variant).y * at.batch
        return VulkanPlan(
            variant: variant, isVector: false, splits: p.weights == .i8 ? 1 : splits(p, workgroups: workgroups, device))
    }

    /// Few rows of weights want more invocations each: only many loads on their way at once hide the memory's latency.
    private static func vectorVariant(_ p: Problem, _ device: Device) throws(DeviceError) -> ShaderVariant {
        let areFew = p.n <= 8192 && p.k >= 1024
        return try ShaderCatalog.variant(
            "gemv_\(p.weights)", for: device, isBetter: { other, _ in areFew && other.name == "wide128" })
    }

    private static func tiles(_ p: Problem, _ variant: ShaderVariant) -> (x: Int, y: Int) {
        let (rows, columns) = variant.tile
        return ((p.n + columns - 1) / columns, (p.m + rows - 1) / rows)
    }

    /// A relative time of `variant`: what its workgroups compute, padding included, and what they load for it.
    private static func time(_ p: Problem, _ variant: ShaderVariant) -> Double {
        let (rows, columns) = variant.tile
        let (x, y) = tiles(p, variant)
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

    // MARK: One launch

    static func launch(
        _ p: Problem, _ at: VulkanOperands, _ options: Options, _ plan: VulkanPlan, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let (variant, work) = (plan.variant, at.cost(p) * Double(at.batch))
        let reads = p.weights == .i8 ? [at.a, at.b] : [at.a, at.b, at.up ?? options.bias ?? at.a]
        let push = push(p, at, options, splits: plan.splits)
        // GATED of Shaders/GEMM/gemv.slang: rows of both matrices.
        let constants = constants(p, at) + (at.up == nil ? variant.constants : [1])
        let (x, y) = tiles(at.up == nil ? p : p.with(m: 1, n: 2 * p.n), variant)
        let groups = plan.isVector ? grid(x) : (x: x, y: y, z: 1)
        if plan.splits == 1 {
            return try encoder.dispatch(
                variant, constants: constants, reads: reads, writes: [at.c], push: push,
                groups: (groups.x, groups.y, at.batch), cost: work)
        }
        let parts = try encoder.device.makeTensor(.f32, [at.batch, plan.splits, p.m, p.n])
        try encoder.dispatch(
            variant, constants: constants, reads: reads, writes: [parts], push: push,
            groups: (groups.x, groups.y, at.batch * plan.splits), cost: work)
        let reduce = grid((p.m * p.n + 63) / 64)
        try encoder.dispatch(
            "gemm_reduce_\(p.outputs)", reads: [parts, options.bias ?? at.a], writes: [at.c], push: push,
            groups: (reduce.x, reduce.y, at.batch))
    }

    /// Elements from one matrix of a batch to the next; 0 for one product.
    private static func step(_ tensor: Tensor) -> Int { tensor.shape.count == 3 ? tensor.strides[0] : 0 }

    /// A_IS_WHOLE and B_IS_WHOLE of Shaders/tile/product.slang.
    private static func constants(_ p: Problem, _ at: VulkanOperands) -> [UInt32] {
        [at.a, at.b].map { tensor in
            let strides = tensor.strides.suffix(2)
            return strides.last == 1 && p.k % 8 == 0 && strides.first! % 8 == 0 && step(tensor) % 8 == 0 ? 1 : 0
        }
    }

    /// `Product` of Shaders/tile/product.slang.
    private static func push(_ p: Problem, _ at: VulkanOperands, _ options: Options, splits: Int) -> [UInt32] {
        let (a, b, c) = (at.a.strides.suffix(2), at.b.strides.suffix(2), at.c.strides.suffix(2))
        let sizes =
            [p.m, p.n, p.k] + a + b + [c.first!, step(at.a), step(at.b), step(at.c), splits]
            + [Int(options.activation.code.rawValue), options.bias == nil ? 0 : 1]
        return sizes.map(UInt32.init) + [options.alpha.bitPattern, options.beta.bitPattern]
    }
}
