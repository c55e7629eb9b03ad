import HearthCompute
import HearthKernels

/// ONNX Attention in terms of ours: `[B, S, H, D]`, the past joined in front, masks made `[B, H, Tq, Tk]`.
enum ONNXAttention {
    private static func heads(_ x: ONNXTensor, _ count: Int) -> ONNXTensor {
        x.shape.count == 4
            ? x.transposed([0, 2, 1, 3]) : x.reshaped([x.shape[0], x.shape[1], count, x.shape[2] / count])
    }

    private static func joined(_ past: ONNXTensor?, _ x: ONNXTensor) -> ONNXTensor {
        guard let past = past?.transposed([0, 2, 1, 3]) else { return x }
        let (b, rest) = (x.shape[0], x.shape[2] * x.shape[3])
        let (before, now) = (past.shape[1] * rest, x.shape[1] * rest)
        var values: [Double] = []
        for i in 0..<b {
            values += past.values[i * before..<(i + 1) * before] + x.values[i * now..<(i + 1) * now]
        }
        return ONNXTensor(shape: [b, past.shape[1] + x.shape[1], x.shape[2], x.shape[3]], values)
    }

    /// Heads widened with zeros: they add nothing to a dot product, and are cut from the result.
    private static func padded(_ x: ONNXTensor, to d: Int) -> ONNXTensor {
        let old = x.shape[3]
        if old == d { return x }
        let values = stride(from: 0, to: x.values.count, by: old).flatMap {
            x.values[$0..<$0 + old] + [Double](repeating: 0, count: d - old)
        }
        return ONNXTensor(shape: Array(x.shape[..<3]) + [d], values)
    }

    /// Additive, -infinity where a key is hidden.
    private static func mask(_ c: ONNXCase, _ b: Int, _ h: Int, _ tq: Int, _ tk: Int) -> ONNXTensor? {
        let (given, lengths) = (c.input(3), c.input(6))
        if given == nil && lengths == nil { return nil }
        var all = [Double](repeating: 0, count: b * h * tq * tk)
        for i in all.indices {
            let place = [i / (h * tq * tk), i / (tq * tk) % h, i / tk % tq, i % tk]
            if let lengths, place[3] >= Int(lengths.values[place[0]]) { all[i] = -.infinity }
            guard let given else { continue }
            let shape = [Int](repeating: 1, count: 4 - given.shape.count) + given.shape
            // A mask shorter than the keys hides the rest.
            if place[3] >= shape[3], shape[3] != 1 {
                all[i] = -.infinity
                continue
            }
            let at = zip(zip(place, shape), ONNXTensor.strides(shape)).reduce(0) { $0 + min($1.0.0, $1.0.1 - 1) * $1.1 }
            let value = given.values[at]
            all[i] += given.element == .bool ? (value == 0 ? -.infinity : 0) : value
        }
        return ONNXTensor(shape: [b, h, tq, tk], all)
    }

    static func run(_ c: ONNXCase, _ device: Device?) throws -> [(Int, [Double])] {
        let (q0, k0, v0) = (c.inputs[0]!, c.inputs[1]!, c.inputs[2]!)
        let hq = q0.shape.count == 4 ? q0.shape[1] : c.integer("q_num_heads", default: 1)
        let hkv = k0.shape.count == 4 ? k0.shape[1] : c.integer("kv_num_heads", default: 1)
        let q = heads(q0, hq)
        let (k, v) = (joined(c.input(4), heads(k0, hkv)), joined(c.input(5), heads(v0, hkv)))
        let (b, tq, tk, d, dv) = (q.shape[0], q.shape[1], k.shape[1], q.shape[3], v.shape[3])
        let wide = max(d, dv)
        let additive = mask(c, b, hq, tq, tk)
        var options = Attention.Options()
        options.isCausal = c.integer("is_causal", default: 0) == 1
        // The diagonal starts behind the past.
        let past = c.input(4)?.shape[2] ?? 0
        options.alignment = .offset(past)
        options.scale = c.real("scale") ?? 1 / Float(d).squareRoot()
        options.softcap = c.real("softcap").flatMap { $0 > 0 ? $0 : nil }
        let operands = [padded(q, to: wide), padded(k, to: wide), padded(v, to: wide)]
        var o: [Double]
        if let device {
            let isHalf = q0.element == .float16
            func make(_ x: ONNXTensor) throws -> Tensor {
                guard isHalf else { return try device.tensor(x) }
                let tensor = try device.makeTensor(.f16, x.shape)
                try tensor.write(x.floats.map { Float16($0).bitPattern })
                return tensor
            }
            options.mask = try additive.map { try device.tensor($0) }
            let out = try device.makeTensor(.f32, [b, tq, hq, wide])
            let lse = try device.makeTensor(.f32, [b, tq, hq])
            let tensors = try operands.map(make)
            try device.run { (e) throws(DeviceError) in
                try Attention.encode(
                    q: tensors[0], k: tensors[1], v: tensors[2], options, into: out, lse: lse, &e)
            }
            o = try out.doubles()
        } else {
            let problem = Attention.Problem(
                b: b, tq: tq, tk: tk, hq: hq, hkv: hkv, d: wide, isCausal: options.isCausal, offset: past)
            o =
                Attention.reference(
                    problem, q: operands[0].floats, k: operands[1].floats, v: operands[2].floats,
                    scale: Double(options.scale!), softcap: options.softcap.map(Double.init),
                    mask: additive.map { m in { m.values[(($0 * hq + $1) * tq + $2) * tk + $3] } }
                ).o
        }
        if wide != dv { o = stride(from: 0, to: o.count, by: wide).flatMap { o[$0..<$0 + dv] } }
        let y = ONNXTensor(shape: [b, tq, hq, dv], o)
        return [(0, q0.shape.count == 4 ? y.transposed([0, 2, 1, 3]).values : y.values)]
    }
}
