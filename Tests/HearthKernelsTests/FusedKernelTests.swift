import HearthCompute
import HearthKernels
import Support
import Testing

/// Kernels that do what several others do one after the other, against those and against the reference.
@Suite(.serialized) struct FusedKernelTests {
    /// A gated block of one row, by every variant of the product: one kernel, for every format; rows that are no
    /// multiple of what a workgroup takes. Several rows take three.
    @Test(arguments: VariantTests.vectors, GEMM.Activation.allCases)
    func gatedProductsMatchReference(way: VariantTests.Way, activation: GEMM.Activation) throws {
        let device = try TestDevices.device(way.selector)
        for dtype in VariantTests.formats {
            for (m, n, k) in [(1, 1, 256), (1, 37, 768), (1, 6, 2048), (2, 5, 256)] {
                var random = TestRandom(UInt64(n + k))
                let x = random.floats(m * k)
                let weights = (0..<2).map { _ in Quantiser.make(dtype, count: n * k, &random) }
                let packed = try weights.map {
                    let tensor = try device.makeTensor(dtype, [n, k])
                    try tensor.write($0.bytes)
                    return try PackedWeights(tensor)
                }
                let left = try device.makeTensor(x, [m, k])
                let (gate, y) = (
                    try device.makeTensor(.f32, [m, n]), try device.makeTensor(repeating: .nan, [m, n])
                )
                device.forced.withLock { $0.variants = [way.variant] }
                defer { device.forced.withLock { $0 = Device.Forced() } }
                var encoder = try device.makeEncoder()
                try SwiGLU.encode(
                    left, gate: packed[0], up: packed[1], activation: activation, scratch: gate, into: y, &encoder)
                let kernels = encoder.kernels.count
                try encoder.submit().wait()
                #expect(kernels == (m == 1 ? 1 : 3))
                let products = weights.map { GEMM.reference(x, $0.values, m: m, n: n, k: k).map { Float($0) } }
                let expected = SwiGLU.reference(gate: products[0], up: products[1], activation: activation)
                let scale = weights.map { Double($0.values.map(abs).max()!) * Double(k).squareRoot() }.max()!
                #expect(
                    largestError(try y.read(as: Float.self), expected) < 4e-6 * scale * max(1, scale),
                    "\(way) \(dtype) \(m)x\(n)x\(k)")
            }
        }
    }

    /// Weights that one kernel does not take: of two types, or beyond the range of a binding.
    @Test(arguments: TestDevices.vulkan)
    func otherGatesTakeTheirOwnLaunches(selector: String) throws {
        let device = try TestDevices.device(selector)
        var random = TestRandom(4)
        let (n, k) = (640, 512)
        let (x, g, u) = (random.floats(k), random.floats(n * k), Quantiser.make(.q8_0, count: n * k, &random))
        let (left, gate, y) = (
            try device.makeTensor(x, [1, k]), try device.makeTensor(.f32, [1, n]), try device.makeTensor(.f32, [1, n])
        )
        let (plain, quantised) = (try device.makeTensor(g, [n, k]), try device.makeTensor(.q8_0, [n, k]))
        try quantised.write(u.bytes)
        let products = [g, u.values].map { GEMM.reference(x, $0, m: 1, n: n, k: k).map { Float($0) } }
        for (second, range, values) in [(quantised, nil, products[1]), (plain, 1 << 20, products[0])]
            as [(Tensor, Int?, [Float])]
        {
            device.forced.withLock { $0.storageRange = range }
            defer { device.forced.withLock { $0 = Device.Forced() } }
            let (first, up) = (try PackedWeights(plain), try PackedWeights(second))
            var encoder = try device.makeEncoder()
            try SwiGLU.encode(left, gate: first, up: up, scratch: gate, into: y, &encoder)
            #expect(encoder.kernels.count == 3)
            try encoder.submit().wait()
            let expected = SwiGLU.reference(gate: products[0], up: values)
            #expect(largestError(try y.read(as: Float.self), expected) < 2e-3)
        }
    }

    /// Queries and a cache after an append, in every type of cache, by one kernel or by its parts; a slot outside the cache.
    @Test(
        arguments: TestDevices.selectors.flatMap { s in [DType.f32, .f16, .bf16, .q8_0].map { (s, $0) } },
        [RoPE.Layout.interleaved, .halfSplit])
    func appendsMatchTheirParts(way: (selector: String, cache: DType), layout: RoPE.Layout) throws {
        let device = try TestDevices.device(way.selector)
        for (tokens, hq, hkv, d) in [(1, 4, 2, 64), (3, 5, 1, 128), (7, 2, 2, 80), (2, 3, 1, 6)] {
            if way.cache == .q8_0, hkv * d % 64 != 0 { continue }
            var random = TestRandom(UInt64(d + tokens))
            let (rows, positions) = (12, 40)
            let table = try device.makeTensor(
                RoPE.table(positions: positions, headDim: d, base: 10000), [positions, d / 2, 2])
            let values = [hq, hkv, hkv].map { random.floats(tokens * $0 * d) }
            let places = try device.makeTensor(.i32, [tokens])
            let slots = try device.makeTensor(.i32, [tokens])
            try places.write((0..<tokens).map { Int32(37 - 5 * $0) })
            try slots.write([Int32](([11, 0, 12, 5, 3, 9, 1] as [Int32]).prefix(tokens)))
            func tensors() throws -> (RoPE.Projected, RoPE.Cache) {
                let all = try zip(values, [hq, hkv, hkv]).map { try device.makeTensor($0, [tokens, $1, d]) }
                let caches = try (0..<2).map { _ in
                    let cache = try device.makeTensor(way.cache, [rows, hkv * d])
                    try cache.write([UInt8](repeating: 0, count: cache.byteCount))
                    return cache
                }
                return (
                    RoPE.Projected(q: all[0], k: all[1], v: all[2]),
                    RoPE.Cache(keys: caches[0], values: caches[1], slots: slots)
                )
            }
            let (new, cache) = try tensors()
            let (parts, expected) = try tensors()
            var encoder = try device.makeEncoder()
            try RoPE.encode(new, table: table, positions: places, layout: layout, into: cache, &encoder)
            let isOne = way.selector != "cpu" && way.cache != .q8_0 && d % 4 == 0
            #expect(encoder.kernels.count == (isOne ? 1 : 4))
            try encoder.submit().wait()
            try device.run { (e) throws(DeviceError) in
                for x in [parts.q, parts.k] {
                    try RoPE.encode(x, table: table, positions: .each(places), layout: layout, into: x, &e)
                }
                for (x, y) in [(parts.k, expected.keys), (parts.v, expected.values)] {
                    try Scatter.encode(x.reshaped([tokens, hkv * d]), rows: slots, into: y, &e)
                }
            }
            let name = "\(way) \(layout) T\(tokens) D\(d)"
            #expect(try new.q.read(as: Float.self) == parts.q.read(as: Float.self), "\(name)")
            #expect(try cache.keys.read(as: UInt8.self) == expected.keys.read(as: UInt8.self), "\(name)")
            #expect(try cache.values.read(as: UInt8.self) == expected.values.read(as: UInt8.self), "\(name)")
        }
    }

    @Test func appendsRefuseWhatDoesNotFit() throws {
        let device = try Device.open(.cpu, threadCount: 1)
        func zeros(_ shape: [Int]) throws -> Tensor { try device.makeTensor(.f32, shape) }
        let table = try zeros([4, 4, 2])
        let list = try device.makeTensor(.i32, [2])
        try list.write([Int32(0), 1])
        func append(v: [Int], cache: [Int]) throws {
            let new = RoPE.Projected(q: try zeros([2, 2, 8]), k: try zeros([2, 1, 8]), v: try zeros(v))
            let cache = RoPE.Cache(keys: try zeros(cache), values: try zeros(cache), slots: list)
            try device.run { (e) throws(DeviceError) in
                try RoPE.encode(new, table: table, positions: list, layout: .halfSplit, into: cache, &e)
            }
        }
        try append(v: [2, 1, 8], cache: [3, 8])
        #expect(throws: DeviceError.self) { try append(v: [2, 2, 8], cache: [3, 8]) }
        #expect(throws: DeviceError.self) { try append(v: [2, 1, 8], cache: [3, 16]) }
    }
}
