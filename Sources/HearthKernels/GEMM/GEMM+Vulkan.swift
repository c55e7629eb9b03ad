import HearthCompute

extension GEMM {
    private static let tile = 32  // TILE of gemm.slang
    private static let rowsPerWorkgroup = 4  // ROWS of gemv.slang

    static func encodeVulkan(_ p: Problem, _ a: Tensor, _ b: Tensor, _ c: Tensor, _ encoder: inout CommandEncoder)
        throws(DeviceError)
    {
        if p.m == 1, b.isContiguous, a.strides[1] == 1 || p.k == 1 {
            let workgroups = (p.n + rowsPerWorkgroup - 1) / rowsPerWorkgroup
            return try encoder.dispatch(
                ShaderCatalog.shader("gemv_\(p.weights)", for: encoder.device), reads: [a, b], writes: [c],
                push: [UInt32(p.n), UInt32(p.k)], groups: grid(workgroups))
        }
        let push = [p.m, p.n, p.k, a.strides[0], a.strides[1], b.strides[0], b.strides[1], p.n].map(UInt32.init)
        try encoder.dispatch(
            ShaderCatalog.shader("gemm_\(p.weights)"), reads: [a, b], writes: [c], push: push,
            groups: ((p.n + tile - 1) / tile, (p.m + tile - 1) / tile, 1))
    }
}
