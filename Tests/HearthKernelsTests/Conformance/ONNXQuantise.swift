import HearthCompute
import HearthKernels

/// ONNX QuantizeLinear and DequantizeLinear in terms of Quantise: elements that share a scale are brought together.
enum ONNXQuantise {
    /// For each scale, the flat indices of its elements.
    private static func groups(_ c: ONNXCase, _ x: ONNXTensor, _ scale: ONNXTensor) -> [[Int]] {
        if scale.values.count == 1 { return [Array(x.values.indices)] }
        let asked = c.integer("axis", default: 1)
        let axis = asked < 0 ? asked + x.shape.count : asked
        let block = c.integer("block_size", default: 0)
        let (strides, scaleStrides) = (ONNXTensor.strides(x.shape), ONNXTensor.strides(scale.shape))
        var groups = [[Int]](repeating: [], count: scale.values.count)
        for flat in x.values.indices {
            let place = x.shape.indices.map { flat / strides[$0] % x.shape[$0] }
            let group =
                block == 0
                ? place[axis]
                : place.indices.reduce(0) { $0 + ($1 == axis ? place[$1] / block : place[$1]) * scaleStrides[$1] }
            groups[group].append(flat)
        }
        return groups
    }

    static func run(_ c: ONNXCase, _ device: Device?, isInverse: Bool) throws -> [(Int, [Double])] {
        let (x, scale, zero) = (c.inputs[0]!, c.inputs[1]!, c.input(2))
        let integers = isInverse ? x : c.outputs[0]!
        guard let range = integers.element?.range, scale.element == .float else {
            throw Excluded(reason: "8- and 4-bit floats and f16 scales: Quantise makes integers with f32 scales")
        }
        let groups = groups(c, x, scale)
        let n = groups[0].count
        let gathered = groups.joined().map { x.values[$0] }
        let zeros = zero?.values ?? [Double](repeating: 0, count: groups.count)
        let results: [Double]
        if let device {
            let scales = try device.makeTensor(scale.floats, [groups.count])
            let points = try device.integers(zeros)
            let shape = [groups.count, n]
            let input =
                isInverse
                ? try device.integers(gathered).reshaped(shape)
                : try device.makeTensor(gathered.map { Float($0) }, shape)
            let out = try device.makeTensor(isInverse ? .f32 : .i32, shape)
            try device.run { (e) throws(DeviceError) in
                if isInverse {
                    try Quantise.encodeInverse(input, scales: scales, zeros: points, into: out, &e)
                } else {
                    try Quantise.encode(input, scales: scales, zeros: points, range: range, into: out, &e)
                }
            }
            results = try out.doubles()
        } else if isInverse {
            results = Quantise.inverseReference(
                gathered.map { Int32($0) }, scales: scale.floats, zeros: zeros.map { Int32($0) })
        } else {
            results = Quantise.reference(
                gathered.map { Float($0) }, scales: scale.floats, zeros: zeros.map { Int32($0) }, range: range
            ).map(Double.init)
        }
        var y = [Double](repeating: 0, count: x.values.count)
        for (place, flat) in groups.joined().enumerated() { y[flat] = results[place] }
        return [(0, y)]
    }
}
