import HearthCompute

extension Attention {
    static func encodeVulkan(
        _ p: Problem, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ scale: Float, _ o: Tensor, _ lse: Tensor,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let sizes = [
            p.tq, p.tk, p.hq, p.hkv, p.d, p.tq * p.hq * p.d, k.shape[1] * p.hkv * p.d, p.isCausal ? 1 : 0,
        ].map(UInt32.init)
        try encoder.dispatch(
            ShaderCatalog.shader("attention", for: encoder.device), reads: [q, k, v], writes: [o, lse],
            push: sizes + [scale.bitPattern],
            groups: (p.hq, p.tq, p.b))
    }
}
