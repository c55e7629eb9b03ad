import HearthCompute
import HearthKernels

/// ONNX Gemm and MatMul in terms of GEMM.
enum ONNXProducts {
    static func gemm(_ c: ONNXCase, _ device: Device?) throws -> [(Int, [Double])] {
        var (a, b) = (c.inputs[0]!, c.inputs[1]!)
        let (isA, isB) = (c.integer("transA", default: 0) == 1, c.integer("transB", default: 0) == 1)
        let (alpha, beta) = (c.real("alpha") ?? 1, c.input(2) == nil ? 0 : c.real("beta") ?? 1)
        let (m, k, n) = (a.shape[isA ? 1 : 0], a.shape[isA ? 0 : 1], b.shape[isB ? 0 : 1])
        var start = [Double](repeating: 0, count: m * n)
        if let bias = c.input(2) {
            let shape = [Int](repeating: 1, count: 2 - bias.shape.count) + bias.shape
            for i in 0..<m * n {
                start[i] = bias.values[min(i / n, shape[0] - 1) * shape[1] + min(i % n, shape[1] - 1)]
            }
        }
        if let device {
            let x = isA ? try device.tensor(a).transposed : try device.tensor(a)
            let w = isB ? try device.tensor(b) : try device.tensor(b).transposed
            let out = try device.tensor(ONNXTensor(shape: [m, n], start))
            try device.run { (e) throws(DeviceError) in
                try GEMM.encode(x, w, GEMM.Options(alpha: alpha, beta: beta), into: out, &e)
            }
            return [(0, try out.doubles())]
        }
        if isA { a = a.transposed([1, 0]) }
        if !isB { b = b.transposed([1, 0]) }
        let product = GEMM.reference(a.floats, b.floats, m: m, n: n, k: k)
        return [(0, zip(product, start).map { Double(alpha) * $0 + Double(beta) * $1 })]
    }

    static func matmul(_ c: ONNXCase, _ device: Device?) throws -> [(Int, [Double])] {
        var (a, b) = (c.inputs[0]!, c.inputs[1]!)
        if a.shape.count == 1 { a.shape = [1] + a.shape }
        if b.shape.count == 1 { b.shape += [1] }
        let (m, k, n) = (a.shape[a.shape.count - 2], a.shape.last!, b.shape.last!)
        // Outer dimensions are repeated until they agree.
        let rank = max(a.shape.count, b.shape.count) - 2
        func outer(_ x: ONNXTensor) -> [Int] {
            [Int](repeating: 1, count: rank + 2 - x.shape.count) + x.shape.dropLast(2)
        }
        let (outerA, outerB) = (outer(a), outer(b))
        let shape = zip(outerA, outerB).map(max)
        let count = shape.reduce(1, *)
        func matrices(_ x: ONNXTensor, _ outer: [Int], _ size: Int) -> [Double] {
            (0..<count).flatMap { flat -> ArraySlice<Double> in
                let at = shape.indices.reduce(0) { at, i in
                    let place = flat / shape[(i + 1)...].reduce(1, *) % shape[i]
                    return at * outer[i] + min(place, outer[i] - 1)
                }
                return x.values[at * size..<(at + 1) * size]
            }
        }
        let left = ONNXTensor(shape: [count, m, k], matrices(a, outerA, m * k))
        let right = ONNXTensor(shape: [count, k, n], matrices(b, outerB, k * n)).transposed([0, 2, 1])
        if let device {
            let (x, w) = (try device.tensor(left), try device.tensor(right))
            let out = try device.makeTensor(.f32, [count, m, n])
            try device.run { (e) throws(DeviceError) in try GEMM.encodeBatched(x, w, into: out, &e) }
            return [(0, try out.doubles())]
        }
        let (x, w) = (left.floats, right.floats)
        return [
            (
                0,
                (0..<count).flatMap { i in
                    GEMM.reference(
                        Array(x[i * m * k..<(i + 1) * m * k]), Array(w[i * n * k..<(i + 1) * n * k]), m: m, n: n, k: k)
                }
            )
        ]
    }
}
