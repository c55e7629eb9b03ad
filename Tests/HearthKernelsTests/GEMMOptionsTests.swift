import HearthCompute
import HearthKernels
import Support
import Testing

/// Scales, bias and activations of products, and the layouts in which operands are read where they lie or copied.
@Suite struct GEMMOptionsTests {
    private static func transposed(_ x: [Float], _ rows: Int, _ columns: Int) -> [Float] {
        (0..<columns).flatMap { c in (0..<rows).map { x[$0 * columns + c] } }
    }

    /// Tails of strips, panels and blocks; k of whole pages (1024); several tasks of rows and of columns.
    static let shapes = [(1, 5, 3), (13, 37, 29), (70, 96, 1024), (61, 71, 1100), (300, 130, 520)]

    @Test(arguments: shapes, GEMM.Activation.allCases)
    func scalesBiasAndActivationMatchReference(shape: (Int, Int, Int), activation: GEMM.Activation) throws {
        let (m, n, k) = shape
        let device = try Device.open(.cpu, threadCount: 2)
        var random = TestRandom(UInt64(m + n + k))
        let (a, b, c0, bias) = (
            random.floats(m * k), random.floats(n * k), random.floats(m * n), random.floats(n)
        )
        let product = GEMM.reference(a, b, m: m, n: n, k: k)
        for (alpha, beta) in [(Float(1), Float(0)), (0.5, 0), (-1.5, 1), (0, 0.25), (0, 0)] {
            // beta 0 must not read c.
            let c = try device.makeTensor(beta == 0 ? [Float](repeating: .nan, count: m * n) : c0, [m, n])
            let options = GEMM.Options(
                alpha: alpha, beta: beta, bias: try device.makeTensor(bias, [n]), activation: activation)
            var encoder = try device.makeEncoder()
            try GEMM.encode(
                try device.makeTensor(a, [m, k]), try device.makeTensor(b, [n, k]), options, into: c, &encoder)
            try encoder.submit().wait()
            let expected = product.indices.map { at in
                let start = Double(alpha) * product[at] + (beta == 0 ? 0 : Double(beta) * Double(c0[at]))
                return GEMM.reference(activation, start + Double(bias[at % n]))
            }
            #expect(largestError(try c.read(as: Float.self), expected) < 4e-6 * Double(k).squareRoot() + 2e-6)
        }
    }

    @Test(arguments: shapes, [false, true])
    func everyLayoutGivesTheSameBits(shape: (Int, Int, Int), isLeftTransposed: Bool) throws {
        let (m, n, k) = shape
        var random = TestRandom(UInt64(m * n + k))
        let (a, b) = (random.floats(m * k), random.floats(n * k))
        var bits: [[UInt32]] = []
        for threads in [1, 2, 3, 8] {
            let device = try Device.open(.cpu, threadCount: threads)
            let left =
                isLeftTransposed
                ? try device.makeTensor(Self.transposed(a, m, k), [k, m]).transposed : try device.makeTensor(a, [m, k])
            let rights = [
                try device.makeTensor(b, [n, k]), try device.makeTensor(Self.transposed(b, n, k), [k, n]).transposed,
            ]
            for right in rights {
                let c = try device.makeTensor(.f32, [m, n])
                var encoder = try device.makeEncoder()
                // With options the path is ours, whatever was measured here.
                try GEMM.encode(left, right, GEMM.Options(activation: .relu), into: c, &encoder)
                try encoder.submit().wait()
                bits.append(try c.read(as: UInt32.self))
            }
        }
        #expect(Set(bits).count == 1)
    }

    @Test(arguments: [DType.f32, .f16, .bf16, .q8_0, .q4_k], PackedWeights.Activations.allCases)
    func packedWeightsTakeBiasAndActivation(dtype: DType, activations: PackedWeights.Activations) throws {
        let (m, n, k) = (19, 70, 256)
        let device = try Device.open(.cpu, threadCount: 2)
        var random = TestRandom(3)
        let (a, bias, weights) = (random.floats(m * k), random.floats(n), Quantiser.make(dtype, count: n * k, &random))
        let b = try device.makeTensor(dtype, [n, k])
        try b.write(weights.bytes)
        let packed = try PackedWeights(b, activations: activations)
        let x = try device.makeTensor(a, [m, k])
        func run(_ options: GEMM.Options) throws -> [Float] {
            let c = try device.makeTensor(.f32, [m, n])
            var encoder = try device.makeEncoder()
            try GEMM.encode(x, packed, options, into: c, &encoder)
            try encoder.submit().wait()
            return try c.read(as: Float.self)
        }
        let plain = try run(GEMM.Options())
        let expected = plain.indices.map { GEMM.reference(.silu, Double(plain[$0] + bias[$0 % n])) }
        let got = try run(GEMM.Options(bias: try device.makeTensor(bias, [n]), activation: .silu))
        #expect(largestError(got, expected) < 1e-6 * (expected.map(abs).max() ?? 1))
    }

    /// bf16 by bf16 through the machine's own dot product where it has one, and widened.
    @Test(arguments: [true, false])
    func bfloat16RowsDoNotDependOnBatchOrThreads(isDotted: Bool) throws {
        GEMMChoice.forcedDots.withLock { $0 = isDotted }
        defer { GEMMChoice.forcedDots.withLock { $0 = nil } }
        let (n, k) = (70, 2048 + 5)
        var random = TestRandom(4)
        let (a, w) = (Quantiser.make(.bf16, count: 33 * k, &random), Quantiser.make(.bf16, count: n * k, &random))
        var expected: [UInt32]?
        for threads in [1, 3] {
            let device = try Device.open(.cpu, threadCount: threads)
            let b = try device.makeTensor(.bf16, [n, k])
            try b.write(w.bytes)
            let packed = try PackedWeights(b)
            for batch in [33, 1, 2, 14, 15, 32] {
                let x = try device.makeTensor(.bf16, [batch, k])
                try x.write(Array(a.bytes[..<(2 * batch * k)]))
                let c = try device.makeTensor(.f32, [batch, n])
                var encoder = try device.makeEncoder()
                try GEMM.encode(x, packed, into: c, &encoder)
                try encoder.submit().wait()
                let bits = try c.read(as: UInt32.self)
                let all = expected ?? bits
                expected = all
                #expect(bits == Array(all[..<(batch * n)]), "\(threads) threads, batch \(batch)")
            }
        }
        let values = expected!.map { Float(bitPattern: $0) }
        #expect(largestError(values, GEMM.reference(a.values, w.values, m: 33, n: n, k: k)) < 2e-4)
    }

    /// Dot products stay unless widening was faster by more than a measurement is off.
    @Test func dotProductsOfBFloat16StayUnlessTheyAreSlower() {
        func isDotted(_ dot: Double, _ widened: Double) -> Bool {
            GEMMChoice.BF16Measurement(measuredAt: 0, dotSeconds: dot, widenedSeconds: widened).isDotted
        }
        #expect(isDotted(1, 2) && isDotted(1, 0.96) && !isDotted(1, 0.94))
    }

    @Test func rejectsOptionsThatDoNotFit() throws {
        let device = try Device.open(.cpu)
        let (a, b) = (try device.makeTensor(.f32, [2, 32]), try device.makeTensor(.f32, [3, 32]))
        let c = try device.makeTensor(.f32, [2, 3])
        func message(_ options: GEMM.Options, _ weights: Tensor) throws -> String {
            var encoder = try device.makeEncoder()
            do throws(DeviceError) { try GEMM.encode(a, weights, options, into: c, &encoder) } catch {
                return error.description
            }
            return "accepted"
        }
        let wrong = GEMM.Options(bias: try device.makeTensor(.f32, [2]))
        #expect(try message(wrong, b).contains("bias is f32 [2], expected f32 [3]"))
        let half = try device.makeTensor(.f16, [3, 32])
        #expect(try message(GEMM.Options(alpha: 2), half).contains("no alpha"))
    }
}
