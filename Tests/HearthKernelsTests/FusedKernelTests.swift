import HearthCompute
import HearthKernels
import Support
import Testing

/// Kernels that do what several others do one after the other, against those and against the reference.
@Suite(.serialized) struct FusedKernelTests {
    /// A gated block of one row, by every variant of the product: one kernel, for every format; rows that are no
    /// multiple of what a workgroup takes. Several rows take three.
    @Test(.enabled(if: !TestDevices.vulkan.isEmpty, none), arguments: VariantTests.vectors, GEMM.Activation.allCases)
    func gatedProductsMatchReference(way: VariantTests.Way, activation: GEMM.Activation) throws {
        let device = try TestDevices.device(way.selector)
        for dtype in VariantTests.formats {
            for (m, n, k) in [(1, 1, 256), (1, 37, 768), (1, 6, 2048), (2, 5, 256)] {
                let block = try GatedBlock(device, [dtype, dtype], activation, m: m, n: n, k: k)
                device.forced.withLock { $0.variants = [way.variant] }
                defer { device.forced.withLock { $0 = Device.Forced() } }
                #expect(try block.run() == (m == 1 ? 1 : 3))
                #expect(try block.error() < 1e-4, "\(way) \(dtype) \(m)x\(n)x\(k)")
            }
        }
    }

    private static let none: Comment = "this machine has no Vulkan device"

    /// Rows of runs that are not whole, and more workgroups than one dimension of a launch takes.
    @Test(.enabled(if: !TestDevices.vulkan.isEmpty, none), arguments: VariantTests.vectors)
    func gatedProductsOfAnySizeMatchReference(way: VariantTests.Way) throws {
        let device = try TestDevices.device(way.selector)
        for dtype in [DType.f32, .f16, .bf16] {
            for (n, k) in [(7, 13), (129, 257), (65_540, 3)] {
                let block = try GatedBlock(device, [dtype, dtype], n: n, k: k)
                device.forced.withLock { $0.variants = [way.variant] }
                defer { device.forced.withLock { $0 = Device.Forced() } }
                #expect(try block.run() == 1)
                #expect(try block.error() < 1e-4, "\(way) \(dtype) \(n)x\(k)")
            }
        }
    }

    /// Weights beyond a binding's range, or too much work for a submission, are cut and leave the same bits; weights of two types
    /// take three kernels.
    @Test(.enabled(if: !TestDevices.vulkan.isEmpty, none), arguments: TestDevices.vulkan)
    func longGatesAreCut(selector: String) throws {
        let device = try TestDevices.device(selector)
        let block = try GatedBlock(device, [.f32, .f32], n: 1700, k: 512)
        #expect(try block.run() == 1)
        let whole = try block.y.read(as: Float.self)
        #expect(try block.error() < 1e-3)
        var limits = (range: Device.Forced(), budget: Device.Forced())
        (limits.range.storageRange, limits.budget.submitBudget) = (1 << 20, .nanoseconds(1))
        for forced in [limits.range, limits.budget] {
            device.forced.withLock { $0 = forced }
            defer { device.forced.withLock { $0 = Device.Forced() } }
            try block.clear()
            #expect(try block.run() == 1)
            #expect(try block.y.read(as: Float.self) == whole)
        }
        let mixed = try GatedBlock(device, [.q8_0, .f32], n: 1700, k: 512)
        #expect(try mixed.run() == 3)
        #expect(try mixed.error() < 1e-3)
    }

    @Test(.enabled(if: !TestDevices.vulkan.isEmpty, none), arguments: TestDevices.vulkan)
    func recordedGatesReadWhatIsThere(selector: String) throws {
        let device = try TestDevices.device(selector)
        let block = try GatedBlock(device, [.q4_0, .q4_0], n: 70, k: 256)
        var encoder = try device.makeReplayEncoder()
        try block.encode(&encoder)
        let work = try encoder.record()
        for seed in 1...2 {
            var random = TestRandom(UInt64(seed))
            try block.write(random.floats(256))
            try work.submit().wait()
            #expect(try block.error() < 1e-4)
        }
    }

    @Test func gatesRefuseWhatDoesNotFit() throws {
        for selector in TestDevices.selectors {
            let device = try TestDevices.device(selector)
            let weights = try [DType.f32, .f32, .i8].map { try PackedWeights(try device.makeTensor($0, [4, 8])) }
            func gate(_ scratch: [Int], _ y: [Int], _ up: Int) throws {
                let (x, s, y) = (
                    try device.makeTensor(repeating: 0, [1, 8]), try device.makeTensor(.f32, scratch),
                    try device.makeTensor(.f32, y)
                )
                try device.run { (e) throws(DeviceError) in
                    try SwiGLU.encode(x, gate: weights[up], up: weights[up], scratch: s, into: y, &e)
                }
            }
            try gate([1, 4], [1, 4], 1)
            #expect(throws: DeviceError.self) { try gate([1, 3], [1, 4], 1) }
            #expect(throws: DeviceError.self) { try gate([1, 4], [2, 4], 1) }
            #expect(throws: DeviceError.self) { try gate([1, 4], [1, 4], 2) }
        }
    }

    /// Queries and a cache after an append, by one kernel or by its parts: slots outside the cache, before it and behind it, leave
    /// what lies there alone, and a position past the table takes its last row.
    @Test(
        arguments: TestDevices.selectors,
        [(.f32, .f32), (.f16, .f16), (.bf16, .bf16), (.q8_0, .q8_0), (.f16, .f32)] as [(DType, DType)])
    func appendsMatchReference(selector: String, types: (keys: DType, values: DType)) throws {
        let device = try TestDevices.device(selector)
        for (tokens, hq, hkv, d) in [(1, 4, 2, 64), (3, 5, 1, 128), (7, 2, 2, 80), (2, 3, 1, 6)] {
            if types.keys == .q8_0, hkv * d % 64 != 0 { continue }
            for (layout, hasNorms) in [(RoPE.Layout.interleaved, false), (.halfSplit, false), (.halfSplit, true)] {
                var random = TestRandom(UInt64(d + tokens))
                let (slots, positions) = ([11, 0, 12, -1, 3, 9, 1] as [Int32], [37, 100, 0, 5, 39, 1, 2] as [Int32])
                let table = RoPE.table(positions: 40, headDim: d, base: 10000)
                let x = [hq, hkv, hkv].map { random.floats(tokens * $0 * d) }
                let weights = (0..<2).map { _ in random.floats(d) }
                let lists = try [slots, positions].map {
                    let list = try device.makeTensor(.i32, [tokens])
                    try list.write(Array($0.prefix(tokens)))
                    return list
                }
                let all = try zip(x, [hq, hkv, hkv]).map { try device.makeTensor($0, [tokens, $1, d]) }
                let norms = try weights.map {
                    hasNorms ? RoPE.Norm(weight: try device.makeTensor($0, [d]), epsilon: 1e-6) : nil
                }
                // The cache is in the middle of more rows.
                let (rows, before, total) = (12, 64, 128)
                let stores = try [types.keys, types.values].map {
                    let store = try device.makeTensor($0, [total, hkv * d])
                    try store.write([UInt8](repeating: 0, count: store.byteCount))
                    return store
                }
                let cache = RoPE.Cache(
                    keys: stores[0].rows(before..<before + rows), values: stores[1].rows(before..<before + rows),
                    slots: lists[0])
                let new = RoPE.Projected(q: all[0], k: all[1], v: all[2], queryNorm: norms[0], keyNorm: norms[1])
                var encoder = try device.makeEncoder()
                try RoPE.append(
                    new, table: try device.makeTensor(table, [40, d / 2, 2]), positions: lists[1], layout: layout,
                    to: cache, &encoder)
                let isOne = selector != "cpu" && types.keys == types.values && types.keys != .q8_0 && d % 4 == 0
                #expect(encoder.kernels.count == (isOne && !hasNorms ? 1 : 4))
                try encoder.submit().wait()

                let turns = positions.prefix(tokens).flatMap {
                    table[min(Int($0), 39) * d..<(min(Int($0), 39) + 1) * d]
                }
                let turned = zip(x, weights).map { x, weight in
                    let normed = RMSNorm.reference(x, weight: weight, epsilon: 1e-6).map { Float($0) }
                    return RoPE.reference(
                        hasNorms ? normed : x, heads: x.count / d / tokens, headDim: d, table: turns, layout: layout)
                }
                let name = "\(selector) \(types) \(layout) T\(tokens) D\(d) \(hasNorms)"
                #expect(largestError(try new.q.read(as: Float.self), turned[0]) < 2e-6, "\(name)")
                for (store, values) in zip(stores, [turned[1].map { Float($0) }, x[2]]) {
                    let stored = Scatter.reference(
                        values, rows: Array(slots.prefix(tokens)), width: hkv * d,
                        into: [Float](repeating: 0, count: rows * hkv * d))
                    let (head, tail) = (before * hkv * d, (total - before - rows) * hkv * d)
                    let expected =
                        [Float](repeating: 0, count: head) + stored + [Float](repeating: 0, count: tail)
                    let rounding: [DType: Double] = [.f32: 1e-6, .f16: 0x1p-11, .bf16: 0x1p-8, .q8_0: 1.0 / 127]
                    let largest = Double(values.map(abs).max()!)
                    let ids = try device.makeTensor(.i32, [total])
                    try ids.write((0..<Int32(total)).map { $0 })
                    let wide = try device.makeTensor(.f32, [total, hkv * d])
                    try device.run { (e) throws(DeviceError) in
                        try Gather.encode(ids: ids, table: store, into: wide, &e)
                    }
                    let got = try wide.read(as: Float.self)
                    #expect(
                        largestError(got, expected.map(Double.init)) <= 1.01 * max(1, largest) * rounding[store.dtype]!,
                        "\(name)")
                    #expect(got[..<head].allSatisfy { $0 == 0 } && got[(got.count - tail)...].allSatisfy { $0 == 0 })
                }
            }
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
                try RoPE.append(new, table: table, positions: list, layout: .halfSplit, to: cache, &e)
            }
        }
        try append(v: [2, 1, 8], cache: [3, 8])
        #expect(throws: DeviceError.self) { try append(v: [2, 2, 8], cache: [3, 8]) }
        #expect(throws: DeviceError.self) { try append(v: [2, 1, 8], cache: [3, 16]) }
    }
}

/// A gated block on one device, its operands known.
private final class GatedBlock {
    private let device: Device
    private let x, scratch: Tensor
    let y: Tensor
    private let packed: [PackedWeights]
    private var values: [Float]
    private let weights: [[Float]]
    private let activation: GEMM.Activation

    init(
        _ device: Device, _ types: [DType], _ activation: GEMM.Activation = .silu, m: Int = 1, n: Int, k: Int
    ) throws {
        var random = TestRandom(UInt64(n + k))
        (self.device, self.activation, values) = (device, activation, random.floats(m * k))
        let made = types.map { Quantiser.make($0, count: n * k, &random) }
        weights = made.map(\.values)
        packed = try zip(types, made).map {
            let tensor = try device.makeTensor($0, [n, k])
            try tensor.write($1.bytes)
            return try PackedWeights(tensor)
        }
        x = try device.makeTensor(values, [m, k])
        (scratch, y) = (try device.makeTensor(.f32, [m, n]), try device.makeTensor(repeating: .nan, [m, n]))
    }

    func encode(_ encoder: inout CommandEncoder) throws {
        try SwiGLU.encode(
            x, gate: packed[0], up: packed[1], activation: activation, scratch: scratch, into: y, &encoder)
    }

    /// - Returns: how many kernels it took.
    func run() throws -> Int {
        var encoder = try device.makeEncoder()
        try encode(&encoder)
        let count = encoder.kernels.count
        try encoder.submit().wait()
        return count
    }

    func write(_ new: [Float]) throws {
        values = new
        try x.write(new)
    }

    func clear() throws { try y.write([Float](repeating: .nan, count: y.elementCount)) }

    /// The largest error beside f64 sums, as a share of the largest value that the weights allow.
    func error() throws -> Double {
        let (m, k, n) = (x.shape[0], x.shape[1], y.shape[1])
        let products = weights.map { GEMM.reference(values, $0, m: m, n: n, k: k).map { Float($0) } }
        let expected = SwiGLU.reference(gate: products[0], up: products[1], activation: activation)
        let scale = weights.map { Double($0.map(abs).max()!) * Double(k).squareRoot() }.reduce(1) { $0 * max(1, $1) }
        return largestError(try y.read(as: Float.self), expected) / scale
    }
}
