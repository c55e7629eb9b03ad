import HearthCompute
import HearthKernels
import Support
import Testing

/// The row-wise and elementwise kernels on every device against f64 loops.
@Suite struct RowKernelTests {
    static let widths = [1, 2, 31, 63, 64, 65, 97, 576, 1024]

    @Test(arguments: TestDevices.selectors, widths)
    func rmsNormMatchesReference(selector: String, n: Int) throws {
        let device = try TestDevices.device(selector)
        var random = TestRandom(UInt64(n))
        let (x, weight) = (random.floats(3 * n), random.floats(n))
        let y = try device.makeTensor(.f32, [3, n])
        var encoder = try device.makeEncoder()
        try RMSNorm.encode(
            try device.makeTensor(x, [3, n]), weight: try device.makeTensor(weight, [n]), epsilon: 1e-5, into: y,
            &encoder)
        try encoder.submit().wait()
        let expected = RMSNorm.reference(x, weight: weight, epsilon: Double(Float(1e-5)))
        #expect(largestError(try y.read(as: Float.self), expected) < 2e-6)
    }

    /// A residual step with the normalisation after it; on the CPU the same bits as one after the other.
    @Test(arguments: TestDevices.selectors, widths)
    func rmsNormOfASumMatchesReference(selector: String, n: Int) throws {
        let device = try TestDevices.device(selector)
        var random = TestRandom(UInt64(n))
        let (x, addend, weight) = (random.floats(3 * n), random.floats(3 * n), random.floats(n))
        let shape = [3, n]
        let (sum, y) = (try device.makeTensor(x, shape), try device.makeTensor(.f32, shape))
        let (other, scale) = (try device.makeTensor(addend, shape), try device.makeTensor(weight, [n]))
        var encoder = try device.makeEncoder()
        try RMSNorm.encode(adding: other, to: sum, weight: scale, epsilon: 1e-5, into: y, &encoder)
        try encoder.submit().wait()
        let stream = zip(x, addend).map { $0 + $1 }
        #expect(try sum.read(as: Float.self) == stream)
        let expected = RMSNorm.reference(stream, weight: weight, epsilon: Double(Float(1e-5)))
        #expect(largestError(try y.read(as: Float.self), expected) < 2e-6)
        if selector == "cpu" {
            let apart = try device.makeTensor(.f32, shape)
            var encoder = try device.makeEncoder()
            try RMSNorm.encode(sum, weight: scale, epsilon: 1e-5, into: apart, &encoder)
            try encoder.submit().wait()
            #expect(try apart.read(as: UInt32.self) == y.read(as: UInt32.self))
        }
    }

    /// Heads that are normalised and rotated in place, as queries are.
    @Test(arguments: TestDevices.selectors, [RoPE.Layout.interleaved, .halfSplit])
    func ropeOfNormalisedHeadsMatchesReference(selector: String, layout: RoPE.Layout) throws {
        let device = try TestDevices.device(selector)
        for (tokens, heads, d, position) in [(1, 1, 2, 0), (3, 5, 64, 17), (7, 3, 6, 100), (2, 9, 128, 4000)] {
            var random = TestRandom(UInt64(d + tokens))
            let (x, weight) = (random.floats(tokens * heads * d), random.floats(d))
            let table = try device.makeTensor(
                RoPE.table(positions: position + tokens, headDim: d, base: 100000), [position + tokens, d / 2, 2])
            let y = try device.makeTensor(x, [tokens, heads, d])
            var encoder = try device.makeEncoder()
            try RoPE.encode(
                y, norm: .init(weight: try device.makeTensor(weight, [d]), epsilon: 1e-6), table: table,
                positions: .from(position), layout: layout, into: y, &encoder)
            try encoder.submit().wait()
            let normed = RMSNorm.reference(x, weight: weight, epsilon: Double(Float(1e-6))).map { Float($0) }
            let expected = RoPE.reference(
                normed, heads: heads, headDim: d, position: position, base: 100000, layout: layout)
            #expect(largestError(try y.read(as: Float.self), expected) < 2e-6, "T\(tokens) H\(heads) D\(d)")
        }
    }

    @Test(arguments: TestDevices.selectors, [RoPE.Layout.interleaved, .halfSplit])
    func ropeMatchesReference(selector: String, layout: RoPE.Layout) throws {
        let device = try TestDevices.device(selector)
        for (tokens, heads, d, position) in [(1, 1, 2, 0), (3, 5, 64, 17), (7, 3, 6, 100), (2, 9, 128, 4000)] {
            var random = TestRandom(UInt64(d + tokens))
            let x = random.floats(tokens * heads * d)
            let table = try device.makeTensor(
                RoPE.table(positions: position + tokens, headDim: d, base: 100000), [position + tokens, d / 2, 2])
            let y = try device.makeTensor(x, [tokens, heads, d])
            var encoder = try device.makeEncoder()
            try RoPE.encode(y, table: table, positions: .from(position), layout: layout, into: y, &encoder)
            try encoder.submit().wait()
            let expected = RoPE.reference(x, heads: heads, headDim: d, position: position, base: 100000, layout: layout)
            #expect(largestError(try y.read(as: Float.self), expected) < 1e-6, "T\(tokens) H\(heads) D\(d)")
        }
    }

    @Test(arguments: TestDevices.selectors, [1, 63, 64, 65, 16385, 100_003])
    func swigluAndAddMatchReference(selector: String, n: Int) throws {
        let device = try TestDevices.device(selector)
        var random = TestRandom(UInt64(n))
        let (a, b) = (random.floats(n, in: -20...20), random.floats(n))
        let (x, z) = (try device.makeTensor(a, [n]), try device.makeTensor(b, [n]))
        let (gated, sum) = (try device.makeTensor(.f32, [n]), try device.makeTensor(.f32, [n]))
        var encoder = try device.makeEncoder()
        try SwiGLU.encode(gate: x, up: z, into: gated, &encoder)
        try Add.encode(x, z, into: sum, &encoder)
        try encoder.submit().wait()
        #expect(largestError(try gated.read(as: Float.self), SwiGLU.reference(gate: a, up: b)) < 1e-5)
        #expect(largestError(try sum.read(as: Float.self), Add.reference(a, b)) < 2e-6)
    }

    @Test(arguments: GEMM.Activation.allCases, [1, 15, 16, 17, 16385])
    func gatesMatchReference(activation: GEMM.Activation, n: Int) throws {
        let device = try Device.open(.cpu, threadCount: 2)
        var random = TestRandom(UInt64(n))
        let (a, b) = (random.floats(n, in: -9...9), random.floats(n))
        let y = try device.makeTensor(a, [n])
        var encoder = try device.makeEncoder()
        // In place, as a model does it.
        try SwiGLU.encode(
            gate: y, up: try device.makeTensor(b, [n]), activation: activation, into: y, &encoder)
        try encoder.submit().wait()
        let expected = SwiGLU.reference(gate: a, up: b, activation: activation)
        #expect(largestError(try y.read(as: Float.self), expected) < 4e-6)
    }

    /// Ties, subnormals, overflow, infinities, NaN, and enough elements for several tasks.
    @Test func castsRoundToNearestEven() throws {
        let device = try Device.open(.cpu, threadCount: 2)
        var random = TestRandom(6)
        let special: [Float] = [
            0, -0, 1, -1, 65504, 65520, 1e9, -1e9, 1e-8, 6e-8, 1.00048828125, 1.0014648, 1.00390625, 1.01171875,
            .infinity,
            -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude,
        ]
        let x = special + random.floats(20_000, in: -100...100)
        let source = try device.makeTensor(x, [x.count])
        func cast(_ from: Tensor, _ dtype: DType) throws -> Tensor {
            let y = try device.makeTensor(dtype, from.shape)
            var encoder = try device.makeEncoder()
            try Cast.encode(from, into: y, &encoder)
            try encoder.submit().wait()
            return y
        }
        let (half, brain) = (try cast(source, .f16), try cast(source, .bf16))
        #expect(try half.read(as: UInt16.self) == Cast.reference(x))
        #expect(try brain.read(as: UInt16.self) == x.map(Cast.bfloat16Reference))
        // Back again nothing is lost.
        #expect(try cast(half, .f32).read(as: Float.self) == Cast.reference(x).map { Float(Float16(bitPattern: $0)) })
        let wide = try cast(brain, .f32).read(as: Float.self)
        #expect(wide == x.map { Float(bitPattern: UInt32(Cast.bfloat16Reference($0)) << 16) })
        let nan = try cast(try device.makeTensor([Float.nan], [1]), .bf16).read(as: UInt16.self)[0]
        #expect(Float(bitPattern: UInt32(nan) << 16).isNaN)
        #expect(throws: DeviceError.self) { try cast(half, .bf16) }
    }

    @Test(arguments: TestDevices.selectors, [DType.f32, .f16, .q4_1, .q8_0])
    func gatherWidensRowsAndZeroesUnknownIds(selector: String, dtype: DType) throws {
        let device = try TestDevices.device(selector)
        var random = TestRandom(3)
        let (rows, width) = (11, 96)
        let weights = Quantiser.make(dtype, count: rows * width, &random)
        let table = try device.makeTensor(dtype, [rows, width])
        try table.write(weights.bytes)
        let ids: [Int32] = [0, 10, 5, 5, -1, 11, .max]
        let y = try device.makeTensor([Float](repeating: .nan, count: ids.count * width), [ids.count, width])
        let tokens = try device.makeTensor(.i32, [ids.count])
        try tokens.write(ids)
        var encoder = try device.makeEncoder()
        try Gather.encode(ids: tokens, table: table, into: y, &encoder)
        try encoder.submit().wait()
        let expected = Gather.reference(ids: ids, table: weights.values, width: width)
        #expect(largestError(try y.read(as: Float.self), expected) < 2e-7)
    }

    @Test(arguments: TestDevices.selectors, [1, 2, 63, 64, 65, 1000, 1025, 49152])
    func argMaxTakesTheFirstOfEquals(selector: String, n: Int) throws {
        let device = try TestDevices.device(selector)
        var random = TestRandom(UInt64(n))
        // Few distinct values, so that the largest occurs often.
        let x = (0..<4 * n).map { _ in Float(Int.random(in: 0...5, using: &random)) }
        let y = try device.makeTensor(.i32, [4])
        var encoder = try device.makeEncoder()
        try ArgMax.encode(try device.makeTensor(x, [4, n]), into: y, &encoder)
        try encoder.submit().wait()
        #expect(try y.read(as: Int32.self) == ArgMax.reference(x, n: n))
    }

    /// NaN first is the answer; elsewhere it hides nothing that follows.
    @Test(arguments: TestDevices.selectors)
    func argMaxPassesOverNaN(selector: String) throws {
        let device = try TestDevices.device(selector)
        let n = 3000
        var x = (0..<3 * n).map { Float($0 % n) }
        for i in 0..<2000 { x[n + 1 + i] = .nan }
        for i in [2 * n, 2 * n + 5, 2 * n + 2999] { x[i] = .nan }
        x += [Float](repeating: .nan, count: n)
        let y = try device.makeTensor(.i32, [4])
        var encoder = try device.makeEncoder()
        try ArgMax.encode(try device.makeTensor(x, [4, n]), into: y, &encoder)
        try encoder.submit().wait()
        #expect(try y.read(as: Int32.self) == [2999, 2999, 0, 0])
        #expect(ArgMax.reference(x, n: n) == [2999, 2999, 0, 0])
    }

    /// Equal values, so that indices decide; distinct ones; NaN, infinities and zeros of both signs.
    @Test(
        arguments: TestDevices.selectors,
        [(1, 1), (2, 2), (64, 7), (65, 64), (1000, 40), (1000, 256), (4097, 256), (8292, 200), (49152, 50)])
    func topKMatchesReference(selector: String, size: (n: Int, k: Int)) throws {
        let device = try TestDevices.device(selector)
        var random = TestRandom(UInt64(size.n))
        let (n, k) = size
        var x = (0..<n).map { _ in Float(Int.random(in: -2...2, using: &random)) }
        x += random.floats(n)
        x += [Float](repeating: .nan, count: n)
        let special: [Float] = [.nan, -0.0, 0, .infinity, -.infinity, -.nan, 1e-45, -1e-45]
        x += (0..<n).map { special[$0 % special.count] }
        let (values, indices) = (try device.makeTensor(.f32, [4, k]), try device.makeTensor(.i32, [4, k]))
        var encoder = try device.makeEncoder()
        try TopK.encode(try device.makeTensor(x, [4, n]), into: values, indices: indices, &encoder)
        try encoder.submit().wait()
        let expected = TopK.reference(x, n: n, k: k)
        #expect(try indices.read(as: Int32.self) == expected.indices)
        let chosen = try values.read(as: UInt32.self).map { Float(bitPattern: $0) }
        #expect(zip(chosen, expected.values).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN })
    }

    @Test func topKRefusesImpossibleK() throws {
        let device = try Device.open(.cpu)
        for k in [0, 257, 5] {
            let n = k == 257 ? 1000 : 4
            let (values, indices) = (try device.makeTensor(.f32, [1, k]), try device.makeTensor(.i32, [1, k]))
            #expect(throws: DeviceError.self) {
                var encoder = try device.makeEncoder()
                try TopK.encode(try device.makeTensor(.f32, [1, n]), into: values, indices: indices, &encoder)
            }
        }
    }

    /// An odd number of halves ends within a word; the other half of it is a neighbour's.
    @Test(arguments: TestDevices.selectors)
    func castLeavesTheNeighbourOfAnOddResult(selector: String) throws {
        let device = try TestDevices.device(selector)
        let both = try device.makeTensor(.f16, [2, 3])
        try both.write([UInt16](repeating: 0x3c00, count: 6))
        var encoder = try device.makeEncoder()
        try Cast.encode(try device.makeTensor([2, 2, 2], [1, 3]), into: both.rows(0..<1), &encoder)
        try encoder.submit().wait()
        #expect(try both.read(as: UInt16.self) == [0x4000, 0x4000, 0x4000, 0x3c00, 0x3c00, 0x3c00])
    }
}
