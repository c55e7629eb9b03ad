import HearthCompute
import HearthRoofline

extension GEMM {
    /// Independent products: `c[i, m, n] = sum_k a[i, m, k] * b[i, n, k]` for every i.
    ///
    /// - Shapes: a `[B, m, k]`, b `[B, n, k]`, c `[B, m, n]`; otherwise as `encode(_:_:into:_:)`, f32 only.
    public static func encodeBatched(_ a: Tensor, _ b: Tensor, into c: Tensor, _ encoder: inout CommandEncoder)
        throws(DeviceError)
    {
        try require([a, b, c].allSatisfy { $0.shape.count == 3 }, "GEMM", "batched operands have three dimensions")
        let count = a.shape[0]
        try require(
            b.shape[0] == count && c.shape[0] == count, "GEMM",
            "batches differ: a \(a.shape), b \(b.shape), c \(c.shape)")
        try require([a, b, c].allSatisfy { $0.dtype == .f32 }, "GEMM", "batched operands are f32")
        guard count > 0 else { return }
        let problem = try validate(a.matrix(0), b.matrix(0), c.matrix(0))
        if problem.m > 0, problem.n > 0 {
            switch encoder.device.backend {
            case .vulkan: try encodeVulkan(problem, VulkanOperands(a: a, b: b, c: c), Options(), &encoder)
            case .cpu(let cpu) where problem.k > 0: runBatched(problem, count, a, b, c, cpu)
            case .cpu: c.hostPointer(as: Float.self).update(repeating: 0, count: c.elementCount)
            }
        }
        encoder.note(name(.f32), Self.cost(problem) * Double(count))
    }

    private static func runBatched(_ p: Problem, _ count: Int, _ a: Tensor, _ b: Tensor, _ c: Tensor, _ cpu: CPUDevice)
    {
        let (left, right, out) = (Left(a), Right(weights: b), Out(c))
        let (stepA, stepB, stepC) = (4 * a.strides[0], 4 * b.strides[0], 4 * c.strides[0])
        let flops = 2 * p.m * p.n * p.k
        cpu.parallel(count, grain: max(1, 4_000_000 / flops)) { range in
            for i in range {
                let (x, w) = (left.pointer + i * stepA, right.pointer + i * stepB)
                // Matrices that follow one another come into the cache while the ones before are multiplied.
                let isNear = i + 1 < range.upperBound && stepA == 4 * p.m * p.k && stepB == 4 * p.n * p.k
                let next =
                    isNear
                    ? (
                        UnsafeRawBufferPointer(start: x + stepA, count: stepA),
                        UnsafeRawBufferPointer(start: w + stepB, count: stepB)
                    ) : nil
                multiplyAlone(
                    m: p.m, n: p.n, k: p.k, Left(x, row: left.row, column: left.column), Right(w, right.layout),
                    Out(out.pointer + i * stepC, row: out.row), next: next, cpu.scratch)
            }
        }
    }
}

extension Tensor {
    /// Matrix `index` of a batch.
    func matrix(_ index: Int) -> Tensor {
        Tensor(
            buffer, dtype: dtype, shape: Array(shape.dropFirst()), strides: Array(strides.dropFirst()),
            byteOffset: byteOffset + index * strides[0] * dtype.blockByteCount)
    }
}
