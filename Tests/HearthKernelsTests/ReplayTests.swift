import HearthCompute
import HearthKernels
import Support
import Testing

/// Work that is recorded once and submitted again and again, and the kernels that read where a sequence stands.
@Suite struct ReplayTests {
    @Test(arguments: TestDevices.vulkan)
    func recordedWorkRunsOnWhatItsTensorsHold(selector: String) throws {
        let device = try TestDevices.device(selector)
        let (sum, addend) = (try device.makeTensor([0, 0, 0], [3]), try device.makeTensor(.f32, [3]))
        var encoder = try device.makeReplayEncoder()
        try Add.encode(sum, addend, into: sum, &encoder)
        let work = try encoder.record()
        for step in 1...5 {
            try addend.write([Float(step), 10, -1])
            let submission = try work.submit()
            #expect(submission.kernels.count == 1)
            // The last is not waited for: the next submission and the reading of results are.
            if step < 5 { try submission.wait() }
        }
        #expect(try sum.read(as: Float.self) == [15, 50, -5])
    }

    /// Results in host memory: what kernels have written is there without a copy, or with one.
    @Test(arguments: TestDevices.vulkan, [false, true])
    func resultsLieWhereTheHostReads(selector: String, isStaged: Bool) throws {
        let device = try Device.open(DeviceSelector(selector))
        device.forced.withLock { $0.isStaged = isStaged }
        let (x, y) = (try device.makeTensor([1, 2, 3], [3]), try device.makeTensor(.f32, [3], in: .host))
        var encoder = try device.makeReplayEncoder()
        try Add.encode(x, x, into: y, &encoder)
        let work = try encoder.record()
        for step in 1...3 {
            try x.write([Float(step), 2, 3])
            try work.submit().wait()
            #expect(try y.read(as: Float.self) == [Float(2 * step), 4, 6])
        }
    }

    /// A recording for more keys than there are has splits without any: the same bits.
    @Test(arguments: TestDevices.vulkan)
    func splitsWithoutKeysChangeNoBit(selector: String) throws {
        let device = try TestDevices.device(selector)
        var random = TestRandom(11)
        let (heads, d, room, keys) = (6, 64, 600, 200)
        let q = try device.makeTensor(random.floats(heads * d), [1, 1, heads, d])
        let (k, v) = (random.floats(room * 2 * d), random.floats(room * 2 * d))
        let (stored, values) = (try device.makeTensor(k, [1, room, 2, d]), try device.makeTensor(v, [1, room, 2, d]))
        let count = try device.makeTensor(.i32, [1])
        try count.write([Int32(keys)])
        let bits = try [keys, 256, 512, room].map { most in
            let o = try device.makeTensor(.f32, q.shape)
            var options = Attention.Options()
            (options.isCausal, options.keyCounts) = (true, count)
            var encoder = try device.makeEncoder()
            try Attention.encode(
                q: q, k: stored, v: values, keyCount: most, options, into: o,
                lse: try device.makeTensor(.f32, [1, 1, heads]), &encoder)
            try encoder.submit().wait()
            return try o.read(as: UInt32.self)
        }
        #expect(bits.allSatisfy { $0 == bits[0] })
    }

    /// A budget of next to nothing cuts at every product: each part is submitted every time.
    @Test(arguments: TestDevices.vulkan)
    func recordedWorkMayHaveParts(selector: String) throws {
        let device = try Device.open(DeviceSelector(selector))
        device.forced.withLock { $0.submitBudget = .nanoseconds(1) }
        var random = TestRandom(4)
        let n = 96
        let (a, b) = (random.floats(n * n), random.floats(n * n))
        let (x, y) = (try device.makeTensor(a, [n, n]), try device.makeTensor(b, [n, n]))
        let results = try (0..<3).map { _ in try device.makeTensor(.f32, [n, n]) }
        var encoder = try device.makeReplayEncoder()
        for result in results { try GEMM.encode(x, y, into: result, &encoder) }
        let work = try encoder.record()
        let first = try work.submit()
        #expect(try first.partDurations().count > 1)
        try x.write(b)
        try work.submit().wait()
        let expected = GEMM.reference(b, b, m: n, n: n, k: n)
        for result in results { #expect(largestError(try result.read(as: Float.self), expected) < 1e-4) }
    }

    @Test(arguments: TestDevices.vulkan)
    func misuseIsRefused(selector: String) throws {
        let device = try TestDevices.device(selector)
        #expect(throws: DeviceError.self) { _ = try device.makeReplayEncoder().submit() }
        #expect(throws: DeviceError.self) { _ = try device.makeEncoder().record() }
    }

    @Test func theCPUReplaysNothing() throws {
        let device = try Device.open(.cpu)
        #expect(!device.canReplay)
        #expect(throws: DeviceError.self) { _ = try device.makeReplayEncoder() }
    }

    /// A recording on a lost device says so and does not keep the device.
    @Test(arguments: TestDevices.vulkan, [VulkanDevice.Call.submit, .wait])
    func recordedWorkOnALostDevice(selector: String, call: VulkanDevice.Call) throws {
        weak var gone: Device?
        do {
            let device = try Device.open(DeviceSelector(selector))
            gone = device
            let x = try device.makeTensor([1, 2], [2])
            var encoder = try device.makeReplayEncoder()
            try Add.encode(x, x, into: x, &encoder)
            let work = try encoder.record()
            try work.submit().wait()
            device.inject(-4, at: call)  // VK_ERROR_DEVICE_LOST
            for _ in 0..<2 {
                let error = #expect(throws: DeviceError.self) { try work.submit().wait() }
                #expect(error?.code == .deviceLost)
            }
        }
        #expect(gone == nil)
    }

    @Test(arguments: TestDevices.selectors, [DType.f32, .f16, .bf16])
    func scatterWritesTheRowsNamed(selector: String, dtype: DType) throws {
        let device = try TestDevices.device(selector)
        var random = TestRandom(7)
        for width in [2, 64, 130] {
            let rows: [Int32] = [4, 0, -1, 2, 5, .max]
            let (x, before) = (random.floats(rows.count * width), random.floats(5 * width))
            let start = try device.makeTensor(before, [5, width])
            let targets = try device.makeTensor(.i32, [rows.count])
            try targets.write(rows)
            var encoder = try device.makeEncoder()
            var (y, result) = (start, start)
            if dtype != .f32 {
                y = try device.makeTensor(dtype, [5, width])
                try Cast.encode(start, into: y, &encoder)
            }
            try Scatter.encode(try device.makeTensor(x, [rows.count, width]), rows: targets, into: y, &encoder)
            if dtype != .f32 {
                result = try device.makeTensor(.f32, [5, width])
                try Cast.encode(y, into: result, &encoder)
            }
            try encoder.submit().wait()
            let expected = Scatter.reference(x, rows: rows, width: width, into: before).map {
                switch dtype {
                case .f16: Float(Float16($0))
                case .bf16: Float(bitPattern: UInt32(Cast.bfloat16Reference($0)) << 16)
                default: $0
                }
            }
            #expect(try result.read(as: Float.self) == expected, "width \(width)")
        }
    }

    @Test(arguments: TestDevices.selectors)
    func scatterQuantises(selector: String) throws {
        let device = try TestDevices.device(selector)
        var random = TestRandom(8)
        let (width, rows) = (192, [Int32](arrayLiteral: 2, -1, 0, 7))
        var x = random.floats(rows.count * width, in: -3...3)
        for i in 0..<32 { x[i] = 0 }
        let y = try device.makeTensor(.q8_0, [3, width])
        try y.write([UInt8](repeating: 0, count: DType.q8_0.byteCount(of: 3 * width)))
        let (targets, result) = (try device.makeTensor(.i32, [rows.count]), try device.makeTensor(.f32, [3, width]))
        let ids = try device.makeTensor(.i32, [3])
        try targets.write(rows)
        try ids.write([Int32](arrayLiteral: 0, 1, 2))
        try device.run { (e) throws(DeviceError) in
            try Scatter.encode(try device.makeTensor(x, [rows.count, width]), rows: targets, into: y, &e)
            try Gather.encode(ids: ids, table: y, into: result, &e)
        }
        let expected = Scatter.reference(
            Scatter.q8Reference(x), rows: rows, width: width, into: [Float](repeating: 0, count: 3 * width))
        // A device may divide inexactly: then a value beside a tie is a quant off.
        let step = Double(3) / 127
        #expect(
            largestError(try result.read(as: Float.self), expected.map(Double.init)) <= (selector == "cpu" ? 0 : step))
    }

    @Test(arguments: TestDevices.selectors)
    func ropeTurnsEachTokenByItsOwnPosition(selector: String) throws {
        let device = try TestDevices.device(selector)
        var random = TestRandom(8)
        let (heads, d, rows) = (3, 8, 50)
        let positions: [Int32] = [7, 0, 49, 7, 1000, -1]
        let x = random.floats(positions.count * heads * d)
        let angles = RoPE.table(positions: rows, headDim: d, base: 10000)
        let (table, list) = (
            try device.makeTensor(angles, [rows, d / 2, 2]), try device.makeTensor(.i32, [positions.count])
        )
        try list.write(positions)
        let y = try device.makeTensor(x, [positions.count, heads, d])
        var encoder = try device.makeEncoder()
        try RoPE.encode(y, table: table, positions: .each(list), layout: .halfSplit, into: y, &encoder)
        try encoder.submit().wait()
        // A position that the table lacks takes its last row.
        let turns = positions.flatMap { p in
            let row = p < 0 ? rows - 1 : min(Int(p), rows - 1)
            return angles[row * d..<(row + 1) * d]
        }
        let expected = RoPE.reference(x, heads: heads, headDim: d, table: Array(turns), layout: .halfSplit)
        #expect(largestError(try y.read(as: Float.self), expected) < 1e-6)
    }

    /// Sequences of different lengths, decode and prefill, in caches with room to spare: each as if it were alone with exactly
    /// its keys, to the bit.
    @Test(arguments: TestDevices.selectors, [1, 5, 16])
    func attentionTakesEachSequencesOwnKeys(selector: String, tq: Int) throws {
        let device = try TestDevices.device(selector)
        var random = TestRandom(9)
        let (hq, hkv, d, capacity) = (4, 2, 64, 1100)
        let counts: [Int32] = [1100, 600, 5, 512, 513, 0, -1]
        let b = counts.count
        let (q, k, v) = (
            random.floats(b * tq * hq * d), random.floats(b * capacity * hkv * d), random.floats(b * capacity * hkv * d)
        )
        let (keys, values) = (
            try device.makeTensor(k, [b, capacity, hkv, d]), try device.makeTensor(v, [b, capacity, hkv, d])
        )
        let queries = try device.makeTensor(q, [b, tq, hq, d])
        let list = try device.makeTensor(.i32, [b])
        try list.write(counts)
        var options = Attention.Options()
        (options.isCausal, options.keyCounts) = (true, list)
        func attention(_ sequence: Range<Int>, _ keyCount: Int?, _ options: Attention.Options) throws
            -> (o: [Float], lse: [UInt32], parts: Int)
        {
            let shape = [sequence.count, tq, hq]
            let (o, lse) = (try device.makeTensor(.f32, shape + [d]), try device.makeTensor(.f32, shape))
            var encoder = try device.makeEncoder()
            try Attention.encode(
                q: queries.rows(sequence), k: keys.rows(sequence), v: values.rows(sequence), keyCount: keyCount,
                options, into: o, lse: lse, &encoder)
            let submission = try encoder.submit()
            let parts = try submission.partDurations().count
            return (try o.read(as: Float.self), try lse.read(as: UInt32.self), parts)
        }
        let before = device.forced.withLock { $0.submitBudget }
        defer { device.forced.withLock { $0.submitBudget = before } }
        device.forced.withLock { $0.submitBudget = .seconds(3600) }
        let together = try attention(0..<b, nil, options)
        // A budget of next to nothing cuts between the sequences, where their rows may be bound.
        device.forced.withLock { $0.submitBudget = .nanoseconds(1) }
        let cut = try attention(0..<b, nil, options)
        #expect(cut.o.map(\.bitPattern) == together.o.map(\.bitPattern) && cut.lse == together.lse)
        // Of 16 queries and 4 heads they may, the log-sum-exps too.
        if device.canReplay, tq == 16 { #expect(together.parts == 1 && cut.parts >= b) }
        options.keyCounts = nil
        for (i, count) in counts.enumerated() {
            let tk = max(0, Int(count))
            let alone = try attention(i..<i + 1, tk, options)
            let (rows, each) = (i * tq * hq..<(i + 1) * tq * hq, hq * tq * d)
            let mine = Array(together.o[i * each..<(i + 1) * each])
            #expect(mine.map(\.bitPattern) == alone.o.map(\.bitPattern), "sequence \(i)")
            #expect(Array(together.lse[rows]) == alone.lse, "sequence \(i)")
            func part(_ x: [Float], _ rows: Int, _ heads: Int, of all: Int) -> [Float] {
                Array(x[i * all * heads * d..<(i * all + rows) * heads * d])
            }
            let expected = Attention.reference(
                .init(b: 1, tq: tq, tk: tk, hq: hq, hkv: hkv, d: d, isCausal: true), q: part(q, tq, hq, of: tq),
                k: part(k, tk, hkv, of: capacity), v: part(v, tk, hkv, of: capacity))
            #expect(largestError(mine, expected.o) < 4e-6, "sequence \(i)")
        }
    }

    @Test func keyCountsThatDoNotFitAreRefused() throws {
        let device = try Device.open(.cpu)
        let q = try device.makeTensor(.f32, [2, 1, 2, 8])
        for wrong in [try device.makeTensor(.i32, [1]), try device.makeTensor(.f32, [2])] {
            var options = Attention.Options()
            options.keyCounts = wrong
            #expect(throws: DeviceError.self) {
                var encoder = try device.makeEncoder()
                try Attention.encode(q: q, k: q, v: q, options, into: q, &encoder)
            }
        }
    }
}
