import HearthCompute
import HearthRoofline

/// Products beyond what one launch may hold: the range of a storage binding, 32-bit indices, the time of a submission.
extension GEMM {
    /// Columns that a product is cut at: so many rows of b in every format are a multiple of `alignment`.
    private static let columnStep = 128
    /// Bytes that bindings begin at multiples of: the coarsest that a device may ask for.
    private static let alignment = 256
    /// The third dimension of a launch may be as short as 65535.
    private static let largestBatch = 4096

    /// - Returns: what multiplied, for the share of its ceiling.
    @discardableResult
    static func encodeVulkan(
        _ p: Problem, _ operands: VulkanOperands, _ options: Options, _ encoder: inout CommandEncoder
    ) throws(DeviceError) -> Arithmetic {
        let plan = try plan(p, operands, encoder.device)
        if operands.c.shape.count == 2 {
            try encode(p, operands, options, plan, &encoder)
            return plan.arithmetic
        }
        let count = perLaunch(p, operands, plan, encoder)
        for first in stride(from: 0, to: operands.batch, by: count) {
            let range = first..<min(operands.batch, first + count)
            if range.count == 1 {
                let one = VulkanOperands(
                    a: operands.a.matrix(first), b: operands.b.matrix(first), c: operands.c.matrix(first))
                try encode(p, one, options, plan, &encoder)
            } else {
                let some = VulkanOperands(
                    a: operands.a.rows(range), b: operands.b.rows(range), c: operands.c.rows(range))
                try launch(p, some, options, plan, &encoder)
            }
        }
        return plan.arithmetic
    }

    /// Products of a batch that one launch holds.
    private static func perLaunch(
        _ p: Problem, _ at: VulkanOperands, _ plan: VulkanPlan, _ encoder: borrowing CommandEncoder
    ) -> Int {
        let limit = encoder.device.storageRange ?? .max
        let inTime = encoder.workLimit(of: plan.variant.shader) / CommandEncoder.work(cost(p))
        var count = min(largestBatch, max(1, Int(min(1e6, inTime))))
        for tensor in [at.a, at.b, at.c] where tensor.strides[0] > 0 {
            let (matrix, step) = (tensor.matrix(0).spannedByteCount, tensor.strides[0] * tensor.dtype.blockByteCount)
            count = min(count, matrix > limit ? 1 : (limit - matrix) / step + 1)
        }
        return max(1, count)
    }

    /// Halved until every operand fits one binding and the work one submission.
    private static func encode(
        _ p: Problem, _ at: VulkanOperands, _ options: Options, _ plan: VulkanPlan, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let limit = encoder.device.storageRange ?? .max
        func isTooLarge(_ tensor: Tensor) -> Bool {
            tensor.spannedByteCount > limit || tensor.elementCount > Int(UInt32.max)
        }
        let isLong = CommandEncoder.work(at.cost(p)) > encoder.workLimit(of: plan.variant.shader)
        let rowStep = rowStep(at)
        if isTooLarge(at.a) || isTooLarge(at.c) || isLong && p.m > p.n, p.m > rowStep {
            let half = (p.m / 2 + rowStep - 1) / rowStep * rowStep
            for range in [0..<half, half..<p.m] {
                let part = VulkanOperands(a: at.a.rows(range), b: at.b, c: at.c.rows(range))
                try encode(p.with(m: range.count, n: p.n), part, options, plan, &encoder)
            }
        } else if isTooLarge(at.b) || isLong, p.n > columnStep {
            let half = (p.n / 2 + columnStep - 1) / columnStep * columnStep
            for range in [0..<half, half..<p.n] {
                let part = VulkanOperands(
                    a: at.a, b: at.b.rows(range), c: at.c.columns(range), up: at.up?.rows(range))
                var some = options
                some.bias = options.bias?.rows(range)
                try encode(p.with(m: p.m, n: range.count), part, some, plan, &encoder)
            }
        } else {
            try launch(p, at, options, plan, &encoder)
        }
    }

    /// The fewest rows whose bytes in a and in c are multiples of `alignment`.
    private static func rowStep(_ at: VulkanOperands) -> Int {
        let bytes = [at.a, at.c].map { $0.strides[0] * $0.dtype.blockByteCount }
        return [1, 2, 4, 8, 16, 32, 64, 128].first { step in bytes.allSatisfy { $0 * step % alignment == 0 } } ?? 256
    }
}

extension GEMM.Problem {
    func with(m: Int, n: Int) -> GEMM.Problem {
        var part = GEMM.Problem(m: m, n: n, k: k, weights: weights, activations: activations, outputs: outputs)
        (part.mayRound, part.mayAccumulateInF16) = (mayRound, mayAccumulateInF16)
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
