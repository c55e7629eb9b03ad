import HearthCompute
import HearthRoofline

/// Kernels that do nothing useful as fast as the device can: what its ceilings are measured with.
package enum Probe {
    /// `rounds` of independent multiply-adds; a cost of 0 where the device has none of this arithmetic.
    package static func encodeMultiply(
        _ arithmetic: Arithmetic, rounds: Int, scratch: Tensor, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let flops: Double
        switch encoder.device.backend {
        case .cpu(let cpu): flops = multiplyCPU(arithmetic, rounds, cpu)
        case .vulkan where arithmetic == .f16Matrix && ShaderCatalog.has("probe_matrix", on: encoder.device):
            let variant = try ShaderCatalog.variant("probe_matrix", for: encoder.device)
            let (size, invocations) = (Double(variant.tile.rows), scratch.elementCount)
            // Four subgroups of 32 or of 8 a workgroup.
            let perGroup = variant.width == .wide ? 128 : 32
            try encoder.dispatch(
                variant, reads: [], writes: [scratch], push: [UInt32(rounds)], groups: (invocations / perGroup, 1, 1))
            flops = Double(invocations / perGroup * 4) * Double(rounds) * 8 * size * size * size
        case .vulkan where arithmetic != .f32: flops = 0
        case .vulkan:
            let invocations = scratch.elementCount
            try encoder.dispatch(
                "probe_fma", reads: [], writes: [scratch], push: [UInt32(rounds)],
                groups: (invocations / 64, 1, 1))
            flops = Double(invocations) * Double(rounds) * 64  // 8 chains of 4 lanes, 2 FLOPs each
        }
        encoder.note("probe.\(arithmetic)", Cost(flops: flops), arithmetic)
    }

    package enum Stream: String, Sendable { case copy, triad, read }

    /// Streams over a (and b) into c. - Precondition: equal f32 vectors of whole multiples of 4096 elements.
    package static func encode(
        _ stream: Stream, _ a: Tensor, _ b: Tensor, into c: Tensor, _ encoder: inout CommandEncoder
    )
        throws(DeviceError)
    {
        let n = a.elementCount
        precondition(n % 4096 == 0 && b.elementCount == n && c.elementCount == n)
        switch encoder.device.backend {
        case .cpu(let cpu): streamCPU(stream, a, b, c, cpu)
        case .vulkan:
            try encoder.dispatch(
                "probe_\(stream.rawValue)", reads: [a, b], writes: [c], push: [UInt32(n / 4)],
                groups: (n / 4096, 1, 1))
        }
        let bytes = Double(4 * n)
        let cost =
            switch stream {
            case .copy: Cost(bytesRead: bytes, bytesWritten: bytes)
            case .triad: Cost(flops: 2 * Double(n), bytesRead: 2 * bytes, bytesWritten: bytes)
            case .read: Cost(flops: Double(n), bytesRead: bytes)
            }
        encoder.note("probe.\(stream.rawValue)", cost)
    }
}
