import HearthCompute
import HearthRoofline

/// Conversion between element types: `y[i] = x[i]`, to f16 and bf16 rounded to nearest, ties to even.
///
/// - Shapes: x and y of one shape, contiguous. dtypes: any type of weights to f32; f32 to f16 or bf16.
/// - Values beyond the range of f16 become infinite; a NaN stays one.
/// - Aliasing: y overlaps no x. Errors: `invalid` when shapes or dtypes do not fit.
/// - Cost: no FLOPs; x read once, y written once.
public enum Cast {
    public static func encode(_ x: Tensor, into y: Tensor, _ encoder: inout CommandEncoder) throws(DeviceError) {
        try require(x.shape == y.shape, "Cast", "x is \(x.shape), y is \(y.shape)")
        try require(x.isContiguous && y.isContiguous, "Cast", "tensors are contiguous")
        let widens = x.dtype.isReal && y.dtype == .f32
        let narrows = x.dtype == .f32 && (y.dtype == .f16 || y.dtype == .bf16)
        try require(widens || narrows, "Cast", "\(x.dtype) to \(y.dtype) is none of its conversions")
        if x.elementCount > 0 {
            switch encoder.device.backend {
            case .cpu(let cpu): runCPU(x, y, cpu)
            case .vulkan:
                try require(x.elementCount <= Int(UInt32.max), "Cast", "\(x.shape) is more than 2^32 elements")
                let perInvocation = widens ? 8 : 2
                let variant = try ShaderCatalog.variant(
                    widens ? "widen_\(x.dtype)" : "narrow_\(y.dtype)", for: encoder.device)
                try encoder.dispatch(
                    variant, constants: [x.elementCount % 8 == 0 ? 1 : 0], reads: [x], writes: [y],
                    push: [UInt32(x.elementCount)],
                    groups: grid((x.elementCount + 64 * perInvocation - 1) / (64 * perInvocation)))
            }
        }
        encoder.note("cast", cost(elements: x.elementCount, from: x.dtype, to: y.dtype))
    }
}
