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
    static let attention = ways("attention_f32_f32")
    static let halfAttention = ways("attention_f16_f16")
    static let formats = DType.allCases.filter(\.isReal)

    private func with<Result>(_ device: Device, _ settings: Device.Forced, _ body: () throws -> Result) rethrows
        -> Result
    {
        device.forced.withLock { $0 = settings }
        defer { device.forced.withLock { $0 = Device.Forced() } }
        return try body()
    }

    private func forced(_ variants: [String] = [], range: Int? = nil, splits: Int? = nil) -> Device.Forced {
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
            for (n, k) in [(1, 256), (37, 768), (6, 2048)] {
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
        for dtype in [DType.f16, .bf16] {
            let (m, n, k) = (35, 37, 264)
            var random = TestRandom(3)
            let (a, b) = (Quantiser.make(dtype, count: m * k, &random), Quantiser.make(dtype, count: n * k, &random))
            let (x, w, c) = (
                try device.makeTensor(dtype, [m, k]), try device.makeTensor(dtype, [n, k]),
                try device.makeTensor(dtype, [m, n])
            )
            try x.write(a.bytes)
            try w.write(b.bytes)
            let packed = try PackedWeights(w)
            try with(device, forced([variant])) {
                try device.run { (e) throws(DeviceError) in try GEMM.encode(x, packed, into: c, &e) }
            }
            let widened = try device.makeTensor(.f32, [m, n])
            try device.run { (e) throws(DeviceError) in try Cast.encode(c, into: widened, &e) }
            let expected = GEMM.reference(a.values, b.values, m: m, n: n, k: k)
            let rounding = dtype == .f16 ? 0x1p-11 : 0x1p-8
            for (got, want) in zip(try widened.read(as: Float.self), expected) {
                #expect(abs(Double(got) - want) <= rounding * abs(want) + 1e-4, "\(variant) \(dtype)")
            }
        }
    }

    /// Sums in f16, where matrix units have them: other bits than f32 sums, as near as 2^-11 of a partial sum a step; elsewhere
    /// the same bits.
    @Test(arguments: TestDevices.vulkan)
    func sumsMayBeHalves(selector: String) throws {
        let device = try TestDevices.device(selector)
        let way = ShaderCatalog.variants(of: "gemm_f16_f16_f16_summed_f16").first { $0.runs(on: device) }
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
        let expected = GEMM.reference(a.values, b.values, m: m, n: n, k: k)
        let largest = expected.map { abs($0) }.max()!
        #expect(largestError(results[1], expected) < Double(k) / 8 * 0x1p-11 * largest)
        #expect((results[0] != results[1]) == (way != nil))
    }

    /// Matrix units take f32 activations rounded to f16, where they are allowed to; elsewhere the same launch is exact.
    @Test(arguments: TestDevices.vulkan, [DType.f16, .q4_0, .q4_1, .q5_0, .q8_0, .q4_k, .q5_k, .q6_k])
    func roundedProductsMatchReference(selector: String, dtype: DType) throws {
        let device = try TestDevices.device(selector)
        for (m, n, k) in [(33, 70, 256), (8, 8, 512), (130, 129, 256)] {
            var random = TestRandom(UInt64(m + n + k))
            let (a, weights) = (random.floats(m * k), Quantiser.make(dtype, count: n * k, &random))
            let b = try device.makeTensor(dtype, [n, k])
            try b.write(weights.bytes)
            let (x, packed) = (try device.makeTensor(a, [m, k]), try PackedWeights(b, activations: .f16))
            let c = try device.makeTensor([Float](repeating: .nan, count: m * n), [m, n])
            try with(device, forced(["matrix8", "matrix16"])) {
                try device.run { (e) throws(DeviceError) in try GEMM.encode(x, packed, into: c, &e) }
            }
            let expected = GEMM.reference(a, weights.values, m: m, n: n, k: k)
            // Both factors are off by at most half a unit of f16 each; the sum of k such errors grows as its root.
            let largest = Double(weights.values.map(abs).max()!)
            let allowed = 0x1p-11 * largest * Double(k).squareRoot() * 4
            #expect(largestError(try c.read(as: Float.self), expected) < allowed, "\(dtype) \(m)x\(n)x\(k)")
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

    @Test(arguments: attention)
    func attentionMatchesReference(way: Way) throws {
        let (selector, variant) = (way.selector, way.variant)
        let device = try TestDevices.device(selector)
        for (tq, tk, hq, hkv, d) in [(1, 700, 6, 2, 64), (9, 70, 4, 1, 80), (40, 33, 2, 2, 13), (3, 40, 1, 1, 200)] {
            var random = TestRandom(UInt64(tq + tk + d))
            let (q, k) = (random.floats(tq * hq * d, in: -2...2), random.floats(tk * hkv * d, in: -2...2))
            let v = random.floats(tk * hkv * d)
            let o = try device.makeTensor([Float](repeating: .nan, count: q.count), [1, tq, hq, d])
            let (qs, ks, vs) = (
                try device.makeTensor(q, o.shape), try device.makeTensor(k, [1, tk, hkv, d]),
                try device.makeTensor(v, [1, tk, hkv, d])
            )
            try with(device, forced([variant])) {
                try device.run { (e) throws(DeviceError) in
                    try Attention.encode(q: qs, k: ks, v: vs, isCausal: true, into: o, &e)
                }
            }
            let problem = Attention.Problem(b: 1, tq: tq, tk: tk, hq: hq, hkv: hkv, d: d, isCausal: true)
            let expected = Attention.reference(problem, q: q, k: k, v: v)
            #expect(largestError(try o.read(as: Float.self), expected.o) < 4e-6, "\(variant) Tq\(tq) Tk\(tk) D\(d)")
        }
    }

    /// f16 throughout, on matrix units too: probabilities are rounded to f16, so the result is right to that.
    @Test(arguments: halfAttention)
    func halfAttentionMatchesReference(way: Way) throws {
        let (selector, variants) = (way.selector, [way.variant])
        let device = try TestDevices.device(selector)
        for (tq, tk, hq, hkv, d, window) in [
            (1, 40, 2, 1, 64, nil), (33, 33, 4, 2, 64, nil), (40, 100, 3, 1, 128, 7), (5, 3, 2, 2, 24, nil),
            (70, 70, 1, 1, 80, nil),
        ] as [(Int, Int, Int, Int, Int, Int?)] {
            var random = TestRandom(UInt64(tq + tk + d))
            func halves(_ shape: [Int]) throws -> (Tensor, [Float]) {
                let made = Quantiser.make(.f16, count: shape.reduce(1, *), &random)
                let tensor = try device.makeTensor(.f16, shape)
                try tensor.write(made.bytes)
                return (tensor, made.values)
            }
            let (q, qs) = try halves([1, tq, hq, d])
            let (k, ks) = try halves([1, tk, hkv, d])
            let (v, vs) = try halves([1, tk, hkv, d])
            let o = try device.makeTensor([Float](repeating: .nan, count: qs.count), [1, tq, hq, d])
            let lse = try device.makeTensor(.f32, [1, tq, hq])
            var options = Attention.Options()
            (options.isCausal, options.window, options.softcap) = (true, window, 20)
            try with(device, forced(variants)) {
                try device.run { (e) throws(DeviceError) in
                    try Attention.encode(q: q, k: k, v: v, options, into: o, lse: lse, &e)
                }
            }
            let problem = Attention.Problem(
                b: 1, tq: tq, tk: tk, hq: hq, hkv: hkv, d: d, isCausal: true, window: window, queries: .f16, keys: .f16)
            let expected = Attention.reference(problem, q: qs, k: ks, v: vs, softcap: 20)
            let largest = Double(vs.map(abs).max()!)
            let label: Comment = "\(variants) Tq\(tq) Tk\(tk) D\(d)"
            #expect(largestError(try o.read(as: Float.self), expected.o) < 1e-3 * largest, label)
            for (got, want) in zip(try lse.read(as: Float.self), expected.lse) {
                #expect(abs(Double(got) - want) <= 2e-3 + 2e-7 * abs(want), label)
            }
        }
    }

    /// Keys and values in pages that lie in any order, whole or as Q8_0: what the same cache in one piece gives.
    @Test(arguments: attention)
    func pagedAndQuantisedCachesMatchReference(way: Way) throws {
        let (selector, variant) = (way.selector, way.variant)
        let device = try TestDevices.device(selector)
        let (b, tk, hq, hkv, d, page) = (2, 75, 4, 2, 64, 16)
        let perSequence = (tk + page - 1) / page
        for (dtype, tq) in [(DType.f32, 1), (.f32, 9), (.q8_0, 1), (.q8_0, 5)] {
            var random = TestRandom(UInt64(tq + 7))
            let q = random.floats(b * tq * hq * d, in: -2...2)
            let count = b * perSequence * page * hkv * d
            let (k, v) = (Quantiser.make(dtype, count: count, &random), Quantiser.make(dtype, count: count, &random))
            // Page i of the sequences lies at slot (i * 3) mod n.
            let n = b * perSequence
            let slots = (0..<n).map { $0 * 3 % n }
            #expect(Set(slots).count == n || n % 3 == 0)
            let order = Set(slots).count == n ? slots : Array((0..<n).reversed())
            let pageBytes = dtype.byteCount(of: page * hkv * d)
            func paged(_ bytes: [UInt8]) throws -> Tensor {
                var out = [UInt8](repeating: 0, count: bytes.count)
                for (i, slot) in order.enumerated() {
                    out.replaceSubrange(
                        slot * pageBytes..<(slot + 1) * pageBytes, with: bytes[i * pageBytes..<(i + 1) * pageBytes])
                }
                let tensor = try device.makeTensor(dtype, [n, page, hkv, d])
                try tensor.write(out)
                return tensor
            }
            var options = Attention.Options()
            options.isCausal = true
            let pages = try device.makeTensor(.i32, [b, perSequence])
            try pages.write(order.map(Int32.init))
            options.pages = pages
            let o = try device.makeTensor([Float](repeating: .nan, count: q.count), [b, tq, hq, d])
            let (qs, ks, vs) = (try device.makeTensor(q, o.shape), try paged(k.bytes), try paged(v.bytes))
            try with(device, forced([variant])) {
                try device.run { (e) throws(DeviceError) in
                    try Attention.encode(q: qs, k: ks, v: vs, keyCount: tk, options, into: o, &e)
                }
            }
            let problem = Attention.Problem(b: b, tq: tq, tk: tk, hq: hq, hkv: hkv, d: d, isCausal: true)
            let expected = Attention.reference(problem, q: q, k: k.values, v: v.values)
            let largest = Double(v.values.map(abs).max()!)
            #expect(
                largestError(try o.read(as: Float.self), expected.o) < 4e-6 * max(1, largest) * 4,
                "\(variant) \(dtype) Tq\(tq)")
        }
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
