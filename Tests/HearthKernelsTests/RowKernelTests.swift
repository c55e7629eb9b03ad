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
            try RoPE.encode(y, table: table, position: position, layout: layout, into: y, &encoder)
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

    @Test(arguments: TestDevices.selectors, [1, 2, 63, 64, 65, 1000, 49152])
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
}
