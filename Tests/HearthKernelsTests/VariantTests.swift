import HearthCompute
import HearthKernels
import Support
import Testing

/// Every variant of the Vulkan products and of attention, forced one after the other, against f64 loops.
@Suite(.serialized, .enabled(if: !TestDevices.vulkan.isEmpty, "this machine has no Vulkan device"))
struct VariantTests {
    /// A device and a variant that it can run.
    struct Way: Sendable, CustomTestStringConvertible {
        let selector, variant: String
        var testDescription: String { "\(selector) \(variant)" }
    }

    /// Every variant of `operation` on every device that has what it needs; the others are named, since no test runs them.
    static func ways(_ operation: String) -> [Way] {
        TestDevices.vulkan.flatMap { selector -> [Way] in
            guard let device = try? TestDevices.device(selector) else { return [] }
            let variants = ShaderCatalog.variants(of: operation)
            for missing in variants where !missing.runs(on: device) {
                print("variant \(selector): \(operation) \(missing.name) not run: the device lacks what it needs")
            }
            return variants.filter { $0.runs(on: device) }.map { Way(selector: selector, variant: $0.name) }
        }
    }

    static let products = ways("gemm_f32_f32_f32")
    static let halves = ways("gemm_f16_f16_f16") + ways("gemm_bf16_bf16_bf16").filter { $0.variant.hasPrefix("matrix") }
    static let vectors = ways("gemv_f32")
    /// A device without matrix units makes the exact product, whatever is forced.
    static let rounded =
        ways("gemm_rounded_q8_0_f32") + TestDevices.vulkan.map { Way(selector: $0, variant: "none") }
    static let attention = ways("attention_f32_f32")
    /// bf16 where it has kernels of its own: on matrix units.
    static let halfAttention =
        ways("attention_f16_f16").map { ($0, DType.f16) }
        + ways("attention_bf16_bf16").filter { $0.variant.hasPrefix("flash") }.map { ($0, DType.bf16) }
    static let formats = DType.allCases.filter(\.isReal)

    func with<Result>(_ device: Device, _ settings: Device.Forced, _ body: () throws -> Result) rethrows
        -> Result
    {
        device.forced.withLock { $0 = settings }
        defer { device.forced.withLock { $0 = Device.Forced() } }
        return try body()
    }

    func forced(_ variants: [String] = [], range: Int? = nil, splits: Int? = nil) -> Device.Forced {
        var settings = Device.Forced()
        (settings.variants, settings.storageRange, settings.splits) = (variants, range, splits)
        return settings
    }

    @Test(arguments: products)
    func productsMatchReference(way: Way) throws {
        let (selector, variant) = (way.selector, way.variant)
        let device = try TestDevices.device(selector)
        for dtype in Self.formats {
            for (m, n, k) in [(2, 1, 256), (33, 35, 512), (129, 17, 256), (7, 130, 768)] {
                var random = TestRandom(UInt64(m * n + k))
                let (a, weights) = (random.floats(m * k), Quantiser.make(dtype, count: n * k, &random))
                let b = try device.makeTensor(dtype, [n, k])
                try b.write(weights.bytes)
                let c = try device.makeTensor([Float](repeating: .nan, count: m * n), [m, n])
                let left = try device.makeTensor(a, [m, k])
                try with(device, forced([variant])) {
                    try device.run { (e) throws(DeviceError) in try GEMM.encode(left, b, into: c, &e) }
                }
                let expected = GEMM.reference(a, weights.values, m: m, n: n, k: k)
                let scale = Double(weights.values.map(abs).max()!) * Double(k).squareRoot()
                #expect(
                    largestError(try c.read(as: Float.self), expected) < 4e-7 * scale * 8,
                    "\(variant) \(dtype) \(m)x\(n)x\(k)")
            }
        }
    }

    /// One row of activations: every format, rows that are no multiple of what a workgroup takes, more and fewer runs than it has
    /// invocations.
    @Test(arguments: vectors)
    func vectorsMatchReference(way: Way) throws {
        let (selector, variant) = (way.selector, way.variant)
        let device = try TestDevices.device(selector)
        for dtype in Self.formats {
            for (n, k) in [(1, 256), (37, 768), (6, 2048), (5, 4608)] {
                var random = TestRandom(UInt64(n + k))
                let (a, weights) = (random.floats(k), Quantiser.make(dtype, count: n * k, &random))
                let (b, left) = (try device.makeTensor(dtype, [n, k]), try device.makeTensor(a, [1, k]))
                try b.write(weights.bytes)
                let c = try device.makeTensor([Float](repeating: .nan, count: n), [1, n])
                try with(device, forced([variant])) {
                    try device.run { (e) throws(DeviceError) in try GEMM.encode(left, b, into: c, &e) }
                }
                let expected = GEMM.reference(a, weights.values, m: 1, n: n, k: k)
                let scale = Double(weights.values.map(abs).max()!) * Double(k).squareRoot()
                #expect(
                    largestError(try c.read(as: Float.self), expected) < 4e-7 * scale * 8,
                    "\(variant) \(dtype) \(n)x\(k)"
                )
            }
        }
    }

    /// 16-bit operands and results: within the rounding of the result of the f64 product of the same values.
    @Test(arguments: halves)
    func halvesMatchReference(way: Way) throws {
        let (selector, variant) = (way.selector, way.variant)
        let device = try TestDevices.device(selector)
        // Less than a tile; several, the last ones not whole; whole ones; parts of k of which the last are empty.
        for (dtype, m, n, k, splits) in [
            (DType.f16, 35, 37, 264, nil), (.bf16, 35, 37, 264, nil), (.f16, 300, 290, 72, nil),
            (.bf16, 256, 256, 64, nil), (.f16, 20, 12, 7176, 7), (.bf16, 9, 40, 1032, 3),
        ] as [(DType, Int, Int, Int, Int?)] {
            var random = TestRandom(3)
            let (a, b) = (Quantiser.make(dtype, count: m * k, &random), Quantiser.make(dtype, count: n * k, &random))
            let (x, w, c) = (
                try device.makeTensor(dtype, [m, k]), try device.makeTensor(dtype, [n, k]),
                try device.makeTensor(dtype, [m, n])
            )
            try x.write(a.bytes)
            try w.write(b.bytes)
            let packed = try PackedWeights(w)
            try with(device, forced([variant], splits: splits)) {
                try device.run { (e) throws(DeviceError) in try GEMM.encode(x, packed, into: c, &e) }
            }
            let widened = try device.makeTensor(.f32, [m, n])
            try device.run { (e) throws(DeviceError) in try Cast.encode(c, into: widened, &e) }
            let expected = GEMM.reference(a.values, b.values, m: m, n: n, k: k)
            let rounding = dtype == .f16 ? 0x1p-11 : 0x1p-8
            for (got, want) in zip(try widened.read(as: Float.self), expected) {
                #expect(
                    abs(Double(got) - want) <= rounding * abs(want) + 1e-4 * max(1, Double(k) / 264).squareRoot(),
                    "\(variant) \(dtype) \(m)x\(n)x\(k)")
            }
        }
    }

    /// Sums in f16, where matrix units have them: other bits than f32 sums, as near as 2^-11 of a partial sum a step; elsewhere
    /// the same bits.
    @Test(arguments: TestDevices.vulkan)
    func sumsMayBeHalves(selector: String) throws {
        let device = try TestDevices.device(selector)
        let ways = ShaderCatalog.variants(of: "gemm_f16_f16_f16_summed_f16").filter { $0.runs(on: device) }
        guard ShaderCatalog.variants(of: "gemm_f16_f16_f16").contains(where: { $0.runs(on: device) }) else {
            return print("variant \(selector): sums in f16 not run: the device has no 16-bit storage")
        }
        let (m, n, k) = (35, 37, 264)
        var random = TestRandom(5)
        let (a, b) = (Quantiser.make(.f16, count: m * k, &random), Quantiser.make(.f16, count: n * k, &random))
        let (x, w) = (try device.makeTensor(.f16, [m, k]), try device.makeTensor(.f16, [n, k]))
        try x.write(a.bytes)
        try w.write(b.bytes)
        let packed = try PackedWeights(w)
        let expected = GEMM.reference(a.values, b.values, m: m, n: n, k: k)
        let largest = expected.map { abs($0) }.max()!
        for way in ways.isEmpty ? [nil] : ways.map(Optional.some) {
            let results = try [false, true].map { halves in
                let (c, widened) = (try device.makeTensor(.f16, [m, n]), try device.makeTensor(.f32, [m, n]))
                try with(device, forced(way.map { [$0.name] } ?? [])) {
                    try device.run { (e) throws(DeviceError) in
                        try GEMM.encode(x, packed, .init(mayAccumulateInF16: halves), into: c, &e)
                        try Cast.encode(c, into: widened, &e)
                    }
                }
                return try widened.read(as: Float.self)
            }
            #expect(largestError(results[1], expected) < Double(k) / 8 * 0x1p-11 * largest)
            #expect((results[0] != results[1]) == (way != nil))
        }
    }

    /// Matrix units take f32 activations rounded to f16, where they are allowed to; elsewhere the same launch is exact.
    @Test(arguments: rounded, [DType.f16, .q4_0, .q4_1, .q5_0, .q8_0, .q4_k, .q5_k, .q6_k])
    func roundedProductsMatchReference(way: Way, dtype: DType) throws {
        let device = try TestDevices.device(way.selector)
        for (m, n, k) in [(33, 70, 256), (8, 8, 512), (130, 129, 256)] {
            var random = TestRandom(UInt64(m + n + k))
            let (a, weights) = (random.floats(m * k), Quantiser.make(dtype, count: n * k, &random))
            let b = try device.makeTensor(dtype, [n, k])
            try b.write(weights.bytes)
            let (x, packed) = (try device.makeTensor(a, [m, k]), try PackedWeights(b, activations: .f16))
            let c = try device.makeTensor([Float](repeating: .nan, count: m * n), [m, n])
            try with(device, forced([way.variant])) {
                try device.run { (e) throws(DeviceError) in try GEMM.encode(x, packed, into: c, &e) }
            }
            let expected = GEMM.reference(a, weights.values, m: m, n: n, k: k)
            // Both factors are off by at most half a unit of f16 each; the sum of k such errors grows as its root.
            let largest = Double(weights.values.map(abs).max()!)
            let allowed = 0x1p-11 * largest * Double(k).squareRoot() * 4
            #expect(
                largestError(try c.read(as: Float.self), expected) < allowed, "\(way.variant) \(dtype) \(m)x\(n)x\(k)")
        }
    }

    @Test(arguments: TestDevices.vulkan, [(1, 1, 1), (33, 35, 65), (7, 40, 128), (40, 3, 99)])
    func bytesMatchExactly(selector: String, shape: (Int, Int, Int)) throws {
        let device = try TestDevices.device(selector)
        let (m, n, k) = shape
        var random = TestRandom(UInt64(m + n + k))
        let a = (0..<m * k).map { _ in Int8.random(in: .min ... .max, using: &random) }
        let b = (0..<n * k).map { _ in Int8.random(in: .min ... .max, using: &random) }
        let (x, w) = (try device.makeTensor(.i8, [m, k]), try device.makeTensor(.i8, [n, k]))
        try x.write(a)
        try w.write(b)
        let (c, packed) = (try device.makeTensor(.i32, [m, n]), try PackedWeights(w))
        try device.run { (e) throws(DeviceError) in try GEMM.encode(x, packed, into: c, &e) }
        let expected = (0..<m * n).map { at in
            (0..<k).reduce(Int32(0)) { $0 + Int32(a[at / n * k + $1]) * Int32(b[at % n * k + $1]) }
        }
        #expect(try c.read(as: Int32.self) == expected)
    }

    /// What a device lacks is named.
    @Test(arguments: TestDevices.vulkan)
    func halvesNeedSixteenBitStorage(selector: String) throws {
        let device = try TestDevices.device(selector)
        if device.description.features.contains("storage16"), device.description.features.contains("i16") { return }
        let (x, w) = (try device.makeTensor(.f16, [2, 8]), try device.makeTensor(.f16, [4, 8]))
        let (c, packed) = (try device.makeTensor(.f16, [2, 4]), try PackedWeights(w))
        let error = #expect(throws: DeviceError.self) {
            try device.run { (e) throws(DeviceError) in try GEMM.encode(x, packed, into: c, &e) }
        }
        #expect(error?.code == .invalid && "\(error!)".contains("lacks storage16"))
    }

    /// A batch of one, and one whose every product is longer than a submission should be: same bits.
    @Test(arguments: TestDevices.vulkan, [1, 3])
    func batchesAreCutToTheSubmitBudget(selector: String, count: Int) throws {
        let device = try TestDevices.device(selector)
        let (m, n, k) = (256, 384, 64)
        var random = TestRandom(9)
        let (a, b) = (random.floats(count * m * k), random.floats(count * n * k))
        let (x, w) = (try device.makeTensor(a, [count, m, k]), try device.makeTensor(b, [count, n, k]))
        let results = try [Duration.seconds(3600), .microseconds(20)].map { budget in
            let c = try device.makeTensor([Float](repeating: .nan, count: count * m * n), [count, m, n])
            var settings = Device.Forced()
            settings.submitBudget = budget
            try with(device, settings) {
                try device.run { (e) throws(DeviceError) in try GEMM.encodeBatched(x, w, into: c, &e) }
            }
            return try c.read(as: UInt32.self)
        }
        #expect(results[0] == results[1])
    }

    /// Parts of k summed apart and joined in order: the product, and the same bits each time.
    @Test(arguments: TestDevices.vulkan, [2, 3])
    func sharedOutProductsMatchReference(selector: String, splits: Int) throws {
        let device = try TestDevices.device(selector)
        let (m, n, k) = (5, 40, 1100)
        var random = TestRandom(4)
        let (a, b, bias) = (random.floats(m * k), random.floats(n * k), random.floats(n))
        var options = GEMM.Options(alpha: 0.5, beta: 2, activation: .relu)
        options.bias = try device.makeTensor(bias, [n])
        let runs = try (0..<2).map { _ in
            let c = try device.makeTensor([Float](repeating: 1, count: m * n), [m, n])
            let (x, w) = (try device.makeTensor(a, [m, k]), try device.makeTensor(b, [n, k]))
            try with(device, forced(splits: splits)) {
                try device.run { (e) throws(DeviceError) in try GEMM.encode(x, w, options, into: c, &e) }
            }
            return try c.read(as: Float.self)
        }
        let sums = GEMM.reference(a, b, m: m, n: n, k: k)
        let expected = sums.indices.map { max(0, 0.5 * sums[$0] + 2 + Double(bias[$0 % n])) }
        #expect(largestError(runs[0], expected) < 1e-4)
        #expect(runs[0].map(\.bitPattern) == runs[1].map(\.bitPattern))
    }

    /// Operands above the storage range are cut: same bits as whole, with a 1 MiB range.
    @Test(arguments: TestDevices.vulkan, [DType.f32, .q8_0])
    func tensorsAboveTheStorageRangeWork(selector: String, dtype: DType) throws {
        let device = try TestDevices.device(selector)
        let (m, n, k) = (700, 1100, 640)
        var random = TestRandom(6)
        let a = try device.makeTensor(random.floats(m * k), [m, k])
        let b = try device.makeTensor(dtype, [n, k])
        // Enough of the values repeat: what is tested is where they lie.
        let some = Quantiser.make(dtype, count: 10 * k, &random).bytes
        try b.write((0..<n / 10).flatMap { _ in some })
        var options = GEMM.Options(activation: .silu)
        options.bias = try device.makeTensor(random.floats(n), [n])
        let results = try [nil, 1 << 20].map { range in
            let c = try device.makeTensor([Float](repeating: .nan, count: m * n), [m, n])
            try with(device, forced(range: range)) {
                try device.run { (e) throws(DeviceError) in try GEMM.encode(a, b, options, into: c, &e) }
            }
            return try c.read(as: UInt32.self)
        }
        #expect(results[0] == results[1])
    }

    @Test(arguments: TestDevices.vulkan)
    func aTensorThatCannotBeCutIsRefused(selector: String) throws {
        let device = try TestDevices.device(selector)
        let x = try device.makeTensor(.f32, [1 << 19])
        let error = #expect(throws: DeviceError.self) {
            try with(device, forced(range: 1 << 20)) {
                try device.run { (e) throws(DeviceError) in try Add.encode(x, x, into: x, &e) }
            }
        }
        #expect(error?.code == .invalid && "\(error!)".contains("storage range 1048576"))
    }
}
