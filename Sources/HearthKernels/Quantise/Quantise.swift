import HearthCompute
import HearthRoofline

/// Linear quantisation to integers and back: `y = clamp(round(x / scale) + zero, range)`, `x = (y - zero) * scale`, ties to even.
///
/// - Shapes: x and y `[groups, n]`, scales `[groups]` f32, zeros `[groups]` i32; a group shares scale and zero point. Integers
///   are held as i32; their range says how many bits they need.
/// - Errors: `invalid` when shapes or dtypes do not fit.
/// - Cost: 2 FLOPs an element; x read once, y written once.
public enum Quantise {
    public static func encode(
        _ x: Tensor, scales: Tensor, zeros: Tensor, range: ClosedRange<Int32>, into y: Tensor,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        try validate(x, .f32, scales, zeros, y, .i32)
        switch encoder.device.backend {
        case .cpu(let cpu): runCPU(x, scales, zeros, range, y, cpu)
        case .vulkan:
            try encodeVulkan(
                "quantise", x, scales, zeros, y, UInt32(bitPattern: range.lowerBound),
                UInt32(bitPattern: range.upperBound), &encoder)
        }
        encoder.note("quantise", cost(elements: x.elementCount, groups: x.shape[0]))
    }

    public static func encodeInverse(
        _ x: Tensor, scales: Tensor, zeros: Tensor, into y: Tensor, _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        try validate(x, .i32, scales, zeros, y, .f32)
        switch encoder.device.backend {
        case .cpu(let cpu): runInverseCPU(x, scales, zeros, y, cpu)
        case .vulkan: try encodeVulkan("dequantise", x, scales, zeros, y, 0, 0, &encoder)
        }
        encoder.note("dequantise", cost(elements: x.elementCount, groups: x.shape[0]))
    }

    private static func encodeVulkan(
        _ operation: String, _ x: Tensor, _ scales: Tensor, _ zeros: Tensor, _ y: Tensor, _ low: UInt32, _ high: UInt32,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let count = x.elementCount
        if count == 0 { return }
        try encoder.dispatch(
            operation, reads: [x, scales, zeros], writes: [y], push: [UInt32(count), UInt32(x.shape[1]), low, high],
            groups: grid((count + 63) / 64))
    }

    private static func validate(
        _ x: Tensor, _ from: DType, _ scales: Tensor, _ zeros: Tensor, _ y: Tensor, _ to: DType
    ) throws(DeviceError) {
        try require(x.shape.count == 2 && y.shape == x.shape, "Quantise", "x is \(x.shape), y is \(y.shape)")
        try require(
            x.dtype == from && y.dtype == to, "Quantise", "\(x.dtype) to \(y.dtype), expected \(from) to \(to)")
        let groups = [x.shape[0]]
        try require(
            scales.shape == groups && scales.dtype == .f32 && zeros.shape == groups && zeros.dtype == .i32, "Quantise",
            "scales and zeros are not \(groups) of f32 and i32")
        try require([x, y, scales, zeros].allSatisfy(\.isContiguous), "Quantise", "tensors are contiguous")
    }
}
