import HearthCompute
import HearthKernels
import Support
import Testing

/// GEMM on every device against f64 loops, in the shapes where tiles end.
@Suite struct GEMMTests {
    struct Shape: Sendable, CustomTestStringConvertible {
        let m, n, k: Int
        var testDescription: String { "\(m)x\(n)x\(k)" }
    }

    // 1, primes, tile - 1, tile, tile + 1; tile is 32 on Vulkan and 64 rows a task on the CPU.
    static let plain = [
        (1, 1, 1), (1, 7, 13), (3, 5, 7), (31, 33, 32), (32, 32, 32), (33, 31, 65), (1, 129, 257), (64, 65, 63),
        (2, 1, 97),
    ].map { Shape(m: $0.0, n: $0.1, k: $0.2) }
    static let blocks = [(1, 1, 32), (1, 67, 96), (3, 33, 64), (33, 65, 128), (32, 64, 32), (5, 31, 576)].map {
        Shape(m: $0.0, n: $0.1, k: $0.2)
    }

    private func check(_ device: Device, _ dtype: DType, _ s: Shape) throws {
        var random = TestRandom(UInt64(s.m * 1_000_003 + s.n * 1009 + s.k))
        let a = random.floats(s.m * s.k)
        let weights = Quantiser.make(dtype, count: s.n * s.k, &random)
        let expected = GEMM.reference(a, weights.values, m: s.m, n: s.n, k: s.k)
        let b = try device.makeTensor(dtype, [s.n, s.k])
        try b.write(weights.bytes)
        let c = try device.makeTensor([Float](repeating: .nan, count: s.m * s.n), [s.m, s.n])
        var encoder = try device.makeEncoder()
        try GEMM.encode(try device.makeTensor(a, [s.m, s.k]), b, into: c, &encoder)
        try encoder.submit().wait()
        let error = largestError(try c.read(as: Float.self), expected)
        let allowed = tolerance(naive: naive(a, weights.values, s), expected)
        // A sum in another order than the naive one may be off by as much as k roundings of its largest term.
        #expect(error <= max(allowed, 6e-8 * Double(s.k).squareRoot() * 8), "error \(error), naive allows \(allowed)")
    }

    private func naive(_ a: [Float], _ b: [Float], _ s: Shape) -> [Float] {
        var c = [Float](repeating: 0, count: s.m * s.n)
        for i in 0..<s.m {
            for j in 0..<s.n {
                for l in 0..<s.k { c[i * s.n + j] += a[i * s.k + l] * b[j * s.k + l] }
            }
        }
        return c
    }

    @Test(arguments: TestDevices.selectors, plain)
    func plainWeightsMatchReference(selector: String, shape: Shape) throws {
        let device = try TestDevices.device(selector)
        try check(device, .f32, shape)
        try check(device, .f16, shape)
    }

    @Test(arguments: TestDevices.selectors, blocks)
    func quantisedWeightsMatchReference(selector: String, shape: Shape) throws {
        let device = try TestDevices.device(selector)
        try check(device, .q4_1, shape)
        try check(device, .q8_0, shape)
    }

    @Test(arguments: TestDevices.selectors)
    func transposedOperandsMatchReference(selector: String) throws {
        let device = try TestDevices.device(selector)
        let (m, n, k) = (13, 37, 29)
        var random = TestRandom(5)
        let a = random.floats(m * k)
        let b = random.floats(n * k)
        func transposed(_ x: [Float], _ rows: Int, _ columns: Int) -> [Float] {
            (0..<columns).flatMap { c in (0..<rows).map { x[$0 * columns + c] } }
        }
        let expected = GEMM.reference(a, b, m: m, n: n, k: k)
        let at = try device.makeTensor(transposed(a, m, k), [k, m]).transposed
        let bt = try device.makeTensor(transposed(b, n, k), [k, n]).transposed
        let c = try device.makeTensor(.f32, [m, n])
        var encoder = try device.makeEncoder()
        try GEMM.encode(at, bt, into: c, &encoder)
        try encoder.submit().wait()
        #expect(largestError(try c.read(as: Float.self), expected) < 1e-5)
    }

    @Test(arguments: TestDevices.selectors)
    func sameInputGivesSameBits(selector: String) throws {
        let device = try TestDevices.device(selector)
        var random = TestRandom(8)
        let a = try device.makeTensor(random.floats(40 * 320), [40, 320])
        let weights = Quantiser.make(.q4_1, count: 96 * 320, &random)
        let b = try device.makeTensor(.q4_1, [96, 320])
        try b.write(weights.bytes)
        let runs = try (0..<3).map { _ in
            let c = try device.makeTensor(.f32, [40, 96])
            var encoder = try device.makeEncoder()
            try GEMM.encode(a, b, into: c, &encoder)
            try encoder.submit().wait()
            return try c.read(as: UInt32.self)
        }
        #expect(runs[0] == runs[1] && runs[1] == runs[2])
    }

    @Test func cpuBitsDoNotDependOnThreads() throws {
        var random = TestRandom(9)
        let x = random.floats(640)
        let weights = Quantiser.make(.q8_0, count: 3000 * 640, &random)
        let runs = try [1, 2, 3, 8].map { threads in
            let device = try Device.open(.cpu, threadCount: threads)
            let b = try device.makeTensor(.q8_0, [3000, 640])
            try b.write(weights.bytes)
            let c = try device.makeTensor(.f32, [1, 3000])
            var encoder = try device.makeEncoder()
            try GEMM.encode(try device.makeTensor(x, [1, 640]), b, into: c, &encoder)
            try encoder.submit().wait()
            return try c.read(as: UInt32.self)
        }
        #expect(Set(runs).count == 1)
    }

    @Test(arguments: TestDevices.selectors)
    func rejectsOperandsThatDoNotFit(selector: String) throws {
        let device = try TestDevices.device(selector)
        let a = try device.makeTensor(.f32, [2, 64])
        let b = try device.makeTensor(.f32, [3, 32])
        let c = try device.makeTensor(.f32, [2, 3])
        var encoder = try device.makeEncoder()
        func message(_ body: () throws(DeviceError) -> Void) -> String {
            do throws(DeviceError) { try body() } catch { return error.description }
            return "accepted"
        }
        #expect(
            message { () throws(DeviceError) in try GEMM.encode(a, b, into: c, &encoder) }.contains("their k differ"))
        let good = try device.makeTensor(.f32, [3, 64])
        let wrong = try device.makeTensor(.f32, [3, 2])
        #expect(
            message { () throws(DeviceError) in try GEMM.encode(a, good, into: wrong, &encoder) }.contains(
                "expected [2, 3]"))
        let ids = try device.makeTensor(.i32, [3, 64])
        #expect(message { () throws(DeviceError) in try GEMM.encode(a, ids, into: c, &encoder) }.contains("i32"))
    }

    /// Reading B in place and packing it are the same sums: rows a page apart, edges on every side, A copied and not, one task and many.
    @Test(
        arguments: [
            (3, 64, 40), (40, 1030, 40), (200, 1024, 1024), (1100, 1030, 70), (1100, 1056, 1000), (65, 2080, 4096),
            (300, 600, 520),
        ], [false, true])
    func packingChangesNoBit(shape: (m: Int, n: Int, k: Int), aIsTransposed: Bool) throws {
        let (m, n, k) = shape
        let device = try TestDevices.device("cpu")
        var random = TestRandom(9)
        let stored = random.floats(m * k)
        let a =
            aIsTransposed
            ? try device.makeTensor(stored, [k, m]).transposed : try device.makeTensor(stored, [m, k])
        let b = try device.makeTensor(random.floats(k * n), [k, n]).transposed
        let results = try [GEMMChoice.Path.blocked, .packed].map { path in
            let c = try device.makeTensor(.f32, [m, n])
            var encoder = try device.makeEncoder()
            try GEMM.encode(a, b, into: c, path: path, &encoder)
            try encoder.submit().wait()
            return try c.read(as: UInt32.self)
        }
        #expect(results[0] == results[1])
    }

    /// Nothing to compute is no error: no rows, no columns, few and many of the others.
    @Test(arguments: [(0, 64), (5, 0), (200, 0)]) func emptyProductsGiveNothing(m: Int, n: Int) throws {
        let device = try TestDevices.device("cpu")
        let (a, b) = (try device.makeTensor(.f32, [m, 64]), try device.makeTensor(.f32, [n, 64]))
        let c = try device.makeTensor(.f32, [m, n])
        var encoder = try device.makeEncoder()
        for path in [GEMMChoice.Path.blocked, .packed] { try GEMM.encode(a, b, into: c, path: path, &encoder) }
        try encoder.submit().wait()
        #expect(try c.read(as: Float.self).isEmpty)
    }

    /// OpenBLAS is chosen beyond the noise only; ways that were not measured are none.
    @Test func theChoiceOfPathKeepsAMargin() {
        func fastest(_ seconds: [GEMMChoice.Path: Double]) -> GEMMChoice.Path? {
            GEMMChoice.Measurement(m: 8, n: 8, k: 8, isPlain: true, seconds: seconds).fastest
        }
        #expect(fastest([.blocked: 1, .openBLAS: 0.97]) == .blocked)
        #expect(fastest([.blocked: 1, .openBLAS: 0.9]) == .openBLAS)
        #expect(fastest([.blocked: 1, .openBLAS: 1.2]) == .blocked)
        #expect(fastest([.blocked: 1, .packed: 0.6, .openBLAS: 0.58]) == .packed)
        #expect(fastest([.openBLAS: 1]) == .openBLAS && fastest([:]) == nil)
    }

    @Test func costCountsEachOperandOnce() {
        let cost = GEMM.cost(.init(m: 2, n: 3, k: 64, weights: .q4_1))
        #expect(cost.flops == 2 * 2 * 3 * 64)
        #expect(cost.bytesRead == Double(2 * 64 * 4 + 3 * 2 * 20))
        #expect(cost.bytesWritten == Double(2 * 3 * 4))
    }
}
