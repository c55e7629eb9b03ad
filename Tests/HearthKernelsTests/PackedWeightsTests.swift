import HearthCompute
import HearthKernels
import Support
import Testing

/// Packed weights against f64 loops, and the promise that a row's result does not depend on what is computed beside it.
@Suite struct PackedWeightsTests {
    static let plain: [DType] = [.f32, .f16, .bf16]
    static let quantised: [DType] = [.q4_0, .q4_1, .q5_0, .q8_0, .q4_k, .q5_k, .q6_k]
    /// Around one strip (14, 12 or 6 rows) and one panel (32, 16 or 8 columns) of every level, and past the depth of a block.
    static let shapes = [(1, 1, 256), (1, 65, 512), (2, 31, 256), (7, 33, 768), (15, 97, 256), (33, 130, 1280)]

    private func product(_ device: Device, _ a: Tensor, _ weights: PackedWeights, _ c: DType = .f32) throws -> Tensor {
        let out = try device.makeTensor(c, [a.shape[0], weights.n])
        var encoder = try device.makeEncoder()
        try GEMM.encode(a, weights, into: out, &encoder)
        try encoder.submit().wait()
        return out
    }

    @Test(arguments: plain, shapes)
    func plainWeightsMatchReference(dtype: DType, shape: (Int, Int, Int)) throws {
        let (m, n, k) = shape
        let device = try Device.open(.cpu, threadCount: 3)
        var random = TestRandom(UInt64(m * n + k))
        let (a, weights) = (random.floats(m * k), Quantiser.make(dtype, count: n * k, &random))
        let b = try device.makeTensor(dtype, [n, k])
        try b.write(weights.bytes)
        let c = try product(device, try device.makeTensor(a, [m, k]), try PackedWeights(b))
        let expected = GEMM.reference(a, weights.values, m: m, n: n, k: k)
        let naive = (0..<m * n).map { at -> Float in
            let (x, w) = (at / n * k, at % n * k)
            return (0..<k).reduce(Float(0)) { $0 + a[x + $1] * weights.values[w + $1] }
        }
        #expect(largestError(try c.read(as: Float.self), expected) <= tolerance(naive: naive, expected))
    }

    /// What is no number in a row of activations is none in that row's results, and nowhere else.
    @Test(arguments: quantised, [Float.nan, -Float.nan, .infinity, -.infinity])
    func noNumberStaysNone(dtype: DType, value: Float) throws {
        let (m, n, k) = (5, 33, 512)
        let device = try Device.open(.cpu, threadCount: 2)
        var random = TestRandom(11)
        var a = random.floats(m * k)
        let b = try device.makeTensor(dtype, [n, k])
        try b.write(Quantiser.make(dtype, count: n * k, &random).bytes)
        let weights = try PackedWeights(b)
        let before = try product(device, try device.makeTensor(a, [m, k]), weights).read(as: Float.self)
        (a[2 * k + 77], a[3 * k]) = (value, -0.0)
        let after = try product(device, try device.makeTensor(a, [m, k]), weights).read(as: Float.self)
        #expect(after[2 * n..<3 * n].allSatisfy { !$0.isFinite })
        #expect(Array(after[..<(2 * n)]) == Array(before[..<(2 * n)]))
        #expect(after[(3 * n)...].allSatisfy { $0.isFinite })
    }

    /// Activations are rounded to int8 first, as the kernel does; what is left is the rounding of f32 sums.
    @Test(arguments: quantised, shapes)
    func int8ActivationsMatchReference(dtype: DType, shape: (Int, Int, Int)) throws {
        let (m, n, k) = shape
        let device = try Device.open(.cpu, threadCount: 2)
        var random = TestRandom(UInt64(m * n + k + 1))
        let (a, weights) = (random.floats(m * k), Quantiser.make(dtype, count: n * k, &random))
        let b = try device.makeTensor(dtype, [n, k])
        try b.write(weights.bytes)
        let c = try product(device, try device.makeTensor(a, [m, k]), try PackedWeights(b))
        let rounded = stride(from: 0, to: m * k, by: 32).flatMap { start -> [Float] in
            let block = a[start..<start + 32]
            let d = block.map(abs).max()! / 127
            return block.map { ($0 / d).rounded(.toNearestOrEven) * d }
        }
        let expected = GEMM.reference(rounded, weights.values, m: m, n: n, k: k)
        let got = try c.read(as: Float.self)
        // One quant more or less where x / d lies on a half: at most d / 2 times the weight.
        let largestWeight = Double(weights.values.map(abs).max()!)
        #expect(largestError(got, expected) < 2e-6 * Double(k) * largestWeight.squareRoot() + largestWeight / 127)
        let exact = GEMM.reference(a, weights.values, m: m, n: n, k: k)
        #expect(largestError(got, exact) < largestWeight * Double(k).squareRoot() / 127 * 2)
    }

    @Test(arguments: quantised)
    func f32ActivationsWidenTheWeights(dtype: DType) throws {
        let (m, n, k) = (3, 40, 512)
        let device = try Device.open(.cpu)
        var random = TestRandom(77)
        let (a, weights) = (random.floats(m * k), Quantiser.make(dtype, count: n * k, &random))
        let b = try device.makeTensor(dtype, [n, k])
        try b.write(weights.bytes)
        let packed = try PackedWeights(b, activations: .f32)
        for rows in [1, m] {
            let x = try device.makeTensor(Array(a[..<(rows * k)]), [rows, k])
            let expected = GEMM.reference(Array(a[..<(rows * k)]), weights.values, m: rows, n: n, k: k)
            let scale = Double(weights.values.map(abs).max()!)
            #expect(largestError(try product(device, x, packed).read(as: Float.self), expected) < 1e-5 * max(1, scale))
        }
    }

    @Test(arguments: [(1, 1, 1), (3, 5, 7), (14, 32, 64), (29, 70, 131), (64, 33, 2048)])
    func int8ProductsAreExact(shape: (Int, Int, Int)) throws {
        let (m, n, k) = shape
        let device = try Device.open(.cpu, threadCount: 2)
        var random = TestRandom(UInt64(m + n + k))
        let a = (0..<m * k).map { _ in Int8.random(in: -128...127, using: &random) }
        let b = (0..<n * k).map { _ in Int8.random(in: -128...127, using: &random) }
        let (x, w) = (try device.makeTensor(.i8, [m, k]), try device.makeTensor(.i8, [n, k]))
        try x.write(a)
        try w.write(b)
        let got = try product(device, x, try PackedWeights(w), .i32).read(as: Int32.self)
        for i in 0..<m {
            for j in 0..<n {
                let expected = (0..<k).reduce(Int32(0)) { $0 + Int32(a[i * k + $1]) * Int32(b[j * k + $1]) }
                #expect(got[i * n + j] == expected)
            }
        }
    }

    @Test(arguments: [DType.f16, .bf16])
    func sixteenBitInAndOut(dtype: DType) throws {
        let (m, n, k) = (17, 40, 300)
        let device = try Device.open(.cpu, threadCount: 2)
        var random = TestRandom(5)
        let (a, b) = (Quantiser.make(dtype, count: m * k, &random), Quantiser.make(dtype, count: n * k, &random))
        let (x, w) = (try device.makeTensor(dtype, [m, k]), try device.makeTensor(dtype, [n, k]))
        try x.write(a.bytes)
        try w.write(b.bytes)
        let bits = try product(device, x, try PackedWeights(w), dtype).read(as: UInt16.self)
        let got = bits.map { dtype == .f16 ? Float(Float16(bitPattern: $0)) : Float(bitPattern: UInt32($0) << 16) }
        let expected = GEMM.reference(a.values, b.values, m: m, n: n, k: k)
        for (value, want) in zip(got, expected) {
            // Half a unit in the last place of the result, and the f32 sum's own error.
            #expect(abs(Double(value) - want) <= abs(want) * (dtype == .f16 ? 4.9e-4 : 3.92e-3) + 1e-5)
        }
    }

    /// Threads 1, 2, 3, 8; batches 1 to 64: the same bits for the same row.
    @Test(arguments: plain + quantised)
    func rowsDoNotDependOnBatchOrThreads(dtype: DType) throws {
        let (n, k) = (150, 768)
        var random = TestRandom(31)
        let (a, weights) = (random.floats(64 * k), Quantiser.make(dtype, count: n * k, &random))
        var expected: [UInt32]?
        for threads in [1, 2, 3, 8] {
            let device = try Device.open(.cpu, threadCount: threads)
            let b = try device.makeTensor(dtype, [n, k])
            try b.write(weights.bytes)
            let packed = try PackedWeights(b)
            for batch in [64, 1, 2, 3, 5, 6, 7, 13, 14, 15, 28, 29, 32, 57, 63] {
                let x = try device.makeTensor(Array(a[..<(batch * k)]), [batch, k])
                let bits = try product(device, x, packed).read(as: UInt32.self)
                let all = expected ?? bits
                expected = all
                #expect(bits == Array(all[..<(batch * n)]), "\(threads) threads, batch \(batch)")
            }
        }
    }

    @Test func batchedProductsMatchReference() throws {
        for selector in TestDevices.selectors {
            let device = try TestDevices.device(selector)
            let (count, m, n, k) = (5, 8, 33, 20)
            var random = TestRandom(12)
            let (a, b) = (random.floats(count * m * k), random.floats(count * n * k))
            let c = try device.makeTensor(.f32, [count, m, n])
            var encoder = try device.makeEncoder()
            try GEMM.encodeBatched(
                try device.makeTensor(a, [count, m, k]), try device.makeTensor(b, [count, n, k]), into: c, &encoder)
            try encoder.submit().wait()
            var expected: [Double] = []
            for i in 0..<count {
                let (left, right) = (a[(i * m * k)..<((i + 1) * m * k)], b[(i * n * k)..<((i + 1) * n * k)])
                expected += GEMM.reference(Array(left), Array(right), m: m, n: n, k: k)
            }
            #expect(largestError(try c.read(as: Float.self), expected) < 1e-5, "\(selector)")
        }
    }

    /// Whole blocks in all, but not in a row.
    @Test(arguments: TestDevices.selectors)
    func rejectsRowsThatAreNotWholeBlocks(selector: String) throws {
        let device = try TestDevices.device(selector)
        let weights = Tensor(try device.makeBuffer(byteCount: 34 * 20), dtype: .q8_0, shape: [32, 20])
        let error = #expect(throws: DeviceError.self) { try PackedWeights(weights) }
        #expect(error?.code == .invalid && "\(error!)".contains("k = 20 is not whole q8_0 blocks"))
    }

    @Test func rejectsActivationsOfAnotherType() throws {
        let device = try Device.open(.cpu)
        let weights = try device.makeTensor(.q8_0, [4, 64])
        try weights.write([UInt8](repeating: 0, count: weights.byteCount))
        let packed = try PackedWeights(weights)
        let (a, c) = (try device.makeTensor(.f16, [2, 64]), try device.makeTensor(.f32, [2, 4]))
        #expect(throws: DeviceError.self) {
            var encoder = try device.makeEncoder()
            try GEMM.encode(a, packed, into: c, &encoder)
        }
    }
}
