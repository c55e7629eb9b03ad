import HearthCompute
import HearthKernels

/// ONNX's row-wise operators in terms of ours: the axes that are reduced are made the last one.
enum ONNXRows {
    private static func axis(_ c: ONNXCase, _ x: ONNXTensor) -> Int {
        let axis = c.integer("axis", default: -1)
        return axis < 0 ? axis + x.shape.count : axis
    }

    static func rmsNorm(_ c: ONNXCase, _ device: Device?) throws -> [(Int, [Double])] {
        let (x, weight) = (c.inputs[0]!, c.inputs[1]!)
        let n = x.shape[axis(c, x)...].reduce(1, *)
        let epsilon = c.real("epsilon") ?? 1e-5
        guard let device else {
            return [(0, RMSNorm.reference(x.floats, weight: weight.floats, epsilon: Double(epsilon)))]
        }
        let rows = try device.tensor(x.reshaped([x.values.count / n, n]))
        let scale = try device.tensor(weight.reshaped([n]))
        let y = try device.makeTensor(.f32, rows.shape)
        try device.run { (e) throws(DeviceError) in
            try RMSNorm.encode(rows, weight: scale, epsilon: epsilon, into: y, &e)
        }
        return [(0, try y.doubles())]
    }

    static func layerNorm(_ c: ONNXCase, _ device: Device?) throws -> [(Int, [Double])] {
        let (x, weight, bias) = (c.inputs[0]!, c.inputs[1]!, c.input(2))
        let n = x.shape[axis(c, x)...].reduce(1, *)
        let epsilon = c.real("epsilon") ?? 1e-5
        guard let device else {
            let all = LayerNorm.reference(
                x.floats, weight: weight.floats, bias: bias?.floats, epsilon: Double(epsilon))
            return [(0, all.y), (1, all.mean), (2, all.inverseDeviation)]
        }
        let rows = try device.tensor(x.reshaped([x.values.count / n, n]))
        let scale = try device.tensor(weight.reshaped([n]))
        let shift = try bias.map { try device.tensor($0.reshaped([n])) }
        let (y, statistics) = (
            try device.makeTensor(.f32, rows.shape), try device.makeTensor(.f32, [rows.shape[0], 2])
        )
        try device.run { (e) throws(DeviceError) in
            try LayerNorm.encode(
                rows, weight: scale, bias: shift, epsilon: epsilon, into: y, statistics: statistics, &e)
        }
        let pairs = try statistics.doubles()
        let (means, inverses) = (stride(from: 0, to: pairs.count, by: 2), stride(from: 1, to: pairs.count, by: 2))
        return [(0, try y.doubles()), (1, means.map { pairs[$0] }), (2, inverses.map { pairs[$0] })]
    }

    static func softmax(_ c: ONNXCase, _ device: Device?, isLog: Bool) throws -> [(Int, [Double])] {
        let x = c.inputs[0]!
        let axis = axis(c, x)
        var order = Array(x.shape.indices)
        order.append(order.remove(at: axis))
        let moved = x.transposed(order)
        let n = x.shape[axis]
        var y = moved
        if let device {
            let rows = try device.tensor(moved.reshaped([moved.values.count / n, n]))
            let out = try device.makeTensor(.f32, rows.shape)
            try device.run { (e) throws(DeviceError) in try Softmax.encode(rows, isLog: isLog, into: out, &e) }
            y.values = try out.doubles()
        } else {
            y.values = Softmax.reference(moved.floats, n: n, isLog: isLog)
        }
        let back = x.shape.indices.map { order.firstIndex(of: $0)! }
        return [(0, y.transposed(back).values)]
    }

    static func crossEntropy(_ c: ONNXCase, _ device: Device?) throws -> [(Int, [Double])] {
        let (x, labels, weight) = (c.inputs[0]!, c.inputs[1]!, c.input(2))
        let classes = x.shape[1]
        // [N, C, d...] to [N, d..., C].
        let order = [0] + Array(2..<x.shape.count) + [1]
        let moved = x.transposed(order)
        let targets = labels.values.map { Int32($0) }
        let ignored = c.integer("ignore_index", default: .min)
        let ignoredTarget = ignored == .min ? nil : Int32(ignored)
        let reduction: CrossEntropy.Reduction =
            switch c.string("reduction") {
            case "none": .none
            case "sum": .sum
            default: .mean
            }
        var (loss, logs) = ([Double](), moved)
        if let device {
            let rows = try device.tensor(moved.reshaped([targets.count, classes]))
            let ids = try device.integers(labels.values)
            let log = try device.makeTensor(.f32, rows.shape)
            let out = try device.makeTensor(.f32, [reduction == .none ? targets.count : 1])
            let options = CrossEntropy.Options(
                weight: try weight.map { try device.tensor($0) }, ignoredTarget: ignoredTarget, reduction: reduction)
            try device.run { (e) throws(DeviceError) in
                try CrossEntropy.encode(rows, targets: ids, options, logProbabilities: log, into: out, &e)
            }
            (loss, logs.values) = (try out.doubles(), try log.doubles())
        } else {
            (loss, logs.values) = CrossEntropy.reference(
                moved.floats, classes: classes, targets: targets, weight: weight?.floats, ignoredTarget: ignoredTarget,
                reduction: reduction)
        }
        let back = x.shape.indices.map { order.firstIndex(of: $0)! }
        return [(0, loss)] + (c.outputs.count > 1 ? [(1, logs.transposed(back).values)] : [])
    }

    static func rope(_ c: ONNXCase, _ device: Device?) throws -> [(Int, [Double])] {
        let (x0, cosines, sines) = (c.inputs[0]!, c.inputs[1]!, c.inputs[2]!)
        let isFour = x0.shape.count == 4
        let heads = isFour ? x0.shape[1] : c.integer("num_heads", default: 1)
        let x = isFour ? x0.transposed([0, 2, 1, 3]) : x0
        let (b, t) = (x.shape[0], x.shape[1])
        let d = x.values.count / (b * t * heads)
        let asked = c.integer("rotary_embedding_dim", default: 0)
        let rotated = asked == 0 ? d : asked
        let half = rotated / 2
        // One table row for each token: any positions become consecutive.
        let table = (0..<b * t).flatMap { token -> [Float] in
            let row = c.input(3).map { Int($0.values[token]) } ?? token
            return (0..<half).flatMap { [cosines.floats[row * half + $0], sines.floats[row * half + $0]] }
        }
        let layout: RoPE.Layout = c.integer("interleaved", default: 0) == 1 ? .interleaved : .halfSplit
        let part = stride(from: 0, to: x.values.count, by: d).flatMap { x.floats[$0..<$0 + rotated] }
        let turned: [Double]
        if let device {
            let rows = try device.makeTensor(part, [b * t, heads, rotated])
            let angles = try device.makeTensor(table, [b * t, half, 2])
            let y = try device.makeTensor(.f32, rows.shape)
            try device.run { (e) throws(DeviceError) in
                try RoPE.encode(rows, table: angles, positions: .from(0), layout: layout, into: y, &e)
            }
            turned = try y.doubles()
        } else {
            turned = RoPE.reference(part, heads: heads, headDim: rotated, table: table, layout: layout)
        }
        var y = x
        for (row, start) in stride(from: 0, to: x.values.count, by: d).enumerated() {
            for i in 0..<rotated { y.values[start + i] = turned[row * rotated + i] }
        }
        return [(0, isFour ? y.reshaped([b, t, heads, d]).transposed([0, 2, 1, 3]).values : y.values)]
    }
}
