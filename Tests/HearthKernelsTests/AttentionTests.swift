import HearthCompute
import HearthKernels
import Support
import Testing

/// Attention forward on every device against f64 loops.
@Suite struct AttentionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let b, tq, tk, hq, hkv, d: Int
        let isCausal: Bool
        var testDescription: String { "B\(b) Tq\(tq) Tk\(tk) H\(hq)/\(hkv) D\(d)\(isCausal ? " causal" : "")" }
    }
    // 64 is the block of keys on both backends.
    static let cases = [
        (1, 1, 1, 1, 1, 1, true), (1, 1, 63, 2, 1, 64, true), (1, 1, 64, 9, 3, 64, true), (1, 1, 65, 4, 4, 32, false),
        (2, 7, 7, 3, 1, 17, true), (1, 5, 130, 6, 2, 80, true), (2, 33, 33, 4, 2, 128, true),
        (1, 3, 129, 2, 2, 96, false),
        (1, 300, 300, 2, 1, 64, true), (1, 57, 700, 3, 1, 32, true), (1, 20, 513, 2, 2, 128, false),
        (3, 1, 1100, 8, 2, 64, true), (1, 1, 513, 5, 1, 80, false), (1, 6, 3, 2, 1, 16, true),
        (1, 2, 5, 1, 1, 256, true), (1, 4, 0, 2, 1, 8, false), (1, 2, 3, 1, 1, 512, false),
        (1, 1, 300, 9, 9, 64, true), (2, 1, 130, 16, 16, 40, true),
    ].map { Case(b: $0.0, tq: $0.1, tk: $0.2, hq: $0.3, hkv: $0.4, d: $0.5, isCausal: $0.6) }

    /// Heads whose scores are made together have the bits that each has alone.
    @Test(arguments: [(9, 64, DType.f32), (8, 32, .f16), (16, 64, .q8_0)])
    func headsAbreastHaveTheBitsOfOneAlone(heads: Int, d: Int, dtype: DType) throws {
        let device = try TestDevices.device("cpu")
        var random = TestRandom(UInt64(heads + d))
        let keys = 300
        let q = random.floats(heads * d, in: -2...2)
        let (k, v) = (random.floats(keys * heads * d, in: -2...2), random.floats(keys * heads * d))
        func attend(_ some: Range<Int>) throws -> [UInt32] {
            func part(_ x: [Float], rows: Int) -> [Float] {
                (0..<rows).flatMap { x[($0 * heads + some.lowerBound) * d..<($0 * heads + some.upperBound) * d] }
            }
            let shape = [1, keys, some.count, d]
            let stored = try [k, v].map { values in
                let tensor = try device.makeTensor(dtype, [keys, some.count * d])
                let rows = try device.makeTensor(.i32, [keys])
                try rows.write((0..<keys).map(Int32.init))
                var encoder = try device.makeEncoder()
                try Scatter.encode(
                    try device.makeTensor(part(values, rows: keys), [keys, some.count * d]), rows: rows, into: tensor,
                    &encoder)
                try encoder.submit().wait()
                return tensor.reshaped(shape)
            }
            let o = try device.makeTensor(.f32, [1, 1, some.count, d])
            var encoder = try device.makeEncoder()
            try Attention.encode(
                q: try device.makeTensor(part(q, rows: 1), o.shape), k: stored[0], v: stored[1], isCausal: true,
                into: o,
                &encoder)
            try encoder.submit().wait()
            return try o.read(as: UInt32.self)
        }
        let together = try attend(0..<heads)
        for head in 0..<heads {
            #expect(try attend(head..<head + 1) == Array(together[head * d..<(head + 1) * d]), "head \(head)")
        }
    }

    @Test(arguments: TestDevices.selectors, cases)
    func matchesReference(selector: String, c: Case) throws {
        let device = try TestDevices.device(selector)
        var random = TestRandom(UInt64(c.tq * 7919 + c.tk * 31 + c.d))
        let capacity = c.tk + 3  // a cache with room left over
        let q = random.floats(c.b * c.tq * c.hq * c.d, in: -2...2)
        let k = random.floats(c.b * capacity * c.hkv * c.d, in: -2...2)
        let v = random.floats(c.b * capacity * c.hkv * c.d)
        let o = try device.makeTensor([Float](repeating: .nan, count: q.count), [c.b, c.tq, c.hq, c.d])
        let lse = try device.makeTensor(.f32, [c.b, c.tq, c.hq])
        var encoder = try device.makeEncoder()
        try Attention.encode(
            q: try device.makeTensor(q, o.shape), k: try device.makeTensor(k, [c.b, capacity, c.hkv, c.d]),
            v: try device.makeTensor(v, [c.b, capacity, c.hkv, c.d]), keyCount: c.tk, isCausal: c.isCausal, into: o,
            lse: lse, &encoder)
        try encoder.submit().wait()
        let problem = Attention.Problem(b: c.b, tq: c.tq, tk: c.tk, hq: c.hq, hkv: c.hkv, d: c.d, isCausal: c.isCausal)
        let expected = Attention.reference(problem, q: q, k: k, v: v)
        #expect(largestError(try o.read(as: Float.self), expected.o) < 4e-6)
        for (got, want) in zip(try lse.read(as: Float.self), expected.lse) {
            #expect(abs(Double(got) - want) <= 1e-5 + 2e-7 * abs(want))
        }
    }

    /// A sequence's decode step has the same bits alone and among 64, on any number of threads.
    @Test func decodeDoesNotDependOnBatchOrThreads() throws {
        let (tk, hq, hkv, d) = (777, 6, 2, 64)
        var random = TestRandom(2)
        let (q, k, v) = (random.floats(hq * d), random.floats(tk * hkv * d), random.floats(tk * hkv * d))
        var expected: [UInt32]?
        for (threads, b) in [(1, 1), (2, 1), (3, 64), (8, 7), (1, 64)] {
            let device = try Device.open(.cpu, threadCount: threads)
            func repeated(_ x: [Float], _ shape: [Int]) throws -> Tensor {
                try device.makeTensor((0..<b).flatMap { _ in x }, [b] + shape)
            }
            let o = try device.makeTensor(.f32, [b, 1, hq, d])
            var encoder = try device.makeEncoder()
            try Attention.encode(
                q: try repeated(q, [1, hq, d]), k: try repeated(k, [tk, hkv, d]), v: try repeated(v, [tk, hkv, d]),
                isCausal: true, into: o, lse: try device.makeTensor(.f32, [b, 1, hq]), &encoder)
            try encoder.submit().wait()
            let bits = try o.read(as: UInt32.self)
            let one = expected ?? Array(bits[..<(hq * d)])
            expected = one
            for i in 0..<b { #expect(Array(bits[i * hq * d..<(i + 1) * hq * d]) == one) }
        }
    }

    @Test(arguments: TestDevices.selectors)
    func rowsWithoutAKeyGiveZeros(selector: String) throws {
        let device = try TestDevices.device(selector)
        // Tq = 6, Tk = 3, causal: the first three queries stand before every key.
        let ones = [Float](repeating: 1, count: 6 * 4)
        let o = try device.makeTensor([Float](repeating: .nan, count: 24), [1, 6, 1, 4])
        let lse = try device.makeTensor(.f32, [1, 6, 1])
        let kv = try device.makeTensor([Float](repeating: 1, count: 12), [1, 3, 1, 4])
        var encoder = try device.makeEncoder()
        try Attention.encode(
            q: try device.makeTensor(ones, [1, 6, 1, 4]), k: kv, v: kv, isCausal: true, into: o, lse: lse, &encoder)
        try encoder.submit().wait()
        let values = try o.read(as: Float.self)
        #expect(values[..<12].allSatisfy { $0 == 0 } && values[12...].allSatisfy { abs($0 - 1) < 1e-6 })
        #expect(try lse.read(as: Float.self)[0] == -Float.greatestFiniteMagnitude)
    }

    /// Windows, soft caps, both kinds of mask and 16-bit inputs, prefill and decode; the CPU only.
    @Test(arguments: [(1, 700), (37, 300), (90, 90)])
    func optionsMatchReference(tq: Int, tk: Int) throws {
        let device = try Device.open(.cpu, threadCount: 2)
        let (b, hq, hkv, d) = (2, 4, 2, 48)
        var random = TestRandom(UInt64(tq + tk))
        func halves(_ count: Int) -> [Float16] { random.floats(count, in: -2...2).map { Float16($0) } }
        let (q, k, v) = (halves(b * tq * hq * d), halves(b * tk * hkv * d), halves(b * tk * hkv * d))
        func tensor(_ x: [Float16], _ shape: [Int]) throws -> Tensor {
            let tensor = try device.makeTensor(.f16, shape)
            try tensor.write(x.map(\.bitPattern))
            return tensor
        }
        let additive = random.floats(hq * tq * tk)
        let hidden = (0..<tq * tk).map { _ in Int8.random(in: 0...3, using: &random) == 0 ? Int8(0) : 1 }
        let (wide, byte) = (
            try device.makeTensor(additive, [1, hq, tq, tk]), try device.makeTensor(.i8, [1, 1, tq, tk])
        )
        try byte.write(hidden)
        for variant in 0..<4 {
            var options = Attention.Options()
            options.isCausal = variant != 1
            options.window = variant == 2 ? 19 : nil
            options.softcap = variant == 3 ? 5 : nil
            options.mask = variant == 0 ? wide : variant == 1 ? byte : nil
            let o = try device.makeTensor(.f32, [b, tq, hq, d])
            let lse = try device.makeTensor(.f32, [b, tq, hq])
            var encoder = try device.makeEncoder()
            try Attention.encode(
                q: try tensor(q, o.shape), k: try tensor(k, [b, tk, hkv, d]), v: try tensor(v, [b, tk, hkv, d]),
                options,
                into: o, lse: lse, &encoder)
            try encoder.submit().wait()
            let problem = Attention.Problem(
                b: b, tq: tq, tk: tk, hq: hq, hkv: hkv, d: d, isCausal: options.isCausal, window: options.window)
            let mask: ((Int, Int, Int, Int) -> Double)? =
                variant == 0
                ? { Double(additive[($1 * tq + $2) * tk + $3]) }
                : variant == 1 ? { hidden[$2 * tk + $3] == 0 ? -Double.infinity : 0 } : nil
            let expected = Attention.reference(
                problem, q: q.map { Float($0) }, k: k.map { Float($0) }, v: v.map { Float($0) },
                softcap: options.softcap.map(Double.init), mask: mask)
            #expect(largestError(try o.read(as: Float.self), expected.o) < 1e-5, "variant \(variant)")
        }
    }

    /// Threads cut the queries differently; a window makes the keys that they read begin elsewhere.
    @Test(arguments: [Int?.none, 100, 400]) func threadsDoNotChangeResults(window: Int?) throws {
        let (t, heads, d) = (700, 1, 64)
        var random = TestRandom(3)
        let (q, k, v) = (random.floats(t * d), random.floats(t * d), random.floats(t * d))
        let results = try [1, 2, 3, 8].map { threads in
            let device = try Device.open(.cpu, threadCount: threads)
            var options = Attention.Options()
            (options.isCausal, options.window) = (true, window)
            let (o, lse) = (
                try device.makeTensor(.f32, [1, t, heads, d]), try device.makeTensor(.f32, [1, t, heads])
            )
            let inputs = try [q, k, v].map { try device.makeTensor($0, o.shape) }
            var encoder = try device.makeEncoder()
            try Attention.encode(q: inputs[0], k: inputs[1], v: inputs[2], options, into: o, lse: lse, &encoder)
            try encoder.submit().wait()
            return try o.read(as: Float.self).map(\.bitPattern) + lse.read(as: Float.self).map(\.bitPattern)
        }
        for other in results.dropFirst() { #expect(other == results[0]) }
    }

    /// Pages in any order hold what a cache in one piece holds: the same bits, for batches of sequences of different lengths.
    @Test(arguments: [DType.f32, .f16, .bf16, .q8_0], [1, 37])
    func pagesGiveTheBitsOfOnePiece(dtype: DType, tq: Int) throws {
        let device = try Device.open(.cpu)
        var random = TestRandom(UInt64(tq))
        let (b, hq, hkv, d, page, perSequence) = (3, 6, 2, 64, 64, 12)
        let counts: [Int32] = [768, 600, 41]
        let rows = b * perSequence * page
        let order = (0..<b * perSequence).map { Int32($0 * 7 % (b * perSequence)) }
        let (one, paged) = (
            try (0..<2).map { _ in try device.makeTensor(dtype, [b, perSequence * page, hkv, d]) },
            try (0..<2).map { _ in try device.makeTensor(dtype, [b * perSequence, page, hkv, d]) }
        )
        let pages = try device.makeTensor(.i32, [b, perSequence])
        try pages.write(order)
        let keyCounts = try device.makeTensor(.i32, [b])
        try keyCounts.write(counts)
        let targets = try (0..<2).map { _ in try device.makeTensor(.i32, [rows]) }
        try targets[0].write((0..<rows).map(Int32.init))
        try targets[1].write((0..<rows).map { order[$0 / page] * Int32(page) + Int32($0 % page) })
        let q = try device.makeTensor(random.floats(b * tq * hq * d, in: -2...2), [b, tq, hq, d])
        for (whole, split) in zip(one, paged) {
            let x = try device.makeTensor(random.floats(rows * hkv * d), [rows, hkv * d])
            try device.run { (e) throws(DeviceError) in
                try Scatter.encode(x, rows: targets[0], into: whole.reshaped([rows, hkv * d]), &e)
                try Scatter.encode(x, rows: targets[1], into: split.reshaped([rows, hkv * d]), &e)
            }
        }
        let results = try [one, paged].map { cache in
            var options = Attention.Options()
            (options.isCausal, options.keyCounts) = (true, keyCounts)
            if cache[0].shape[1] == page { options.pages = pages }
            let o = try device.makeTensor(.f32, q.shape)
            try device.run { (e) throws(DeviceError) in
                try Attention.encode(q: q, k: cache[0], v: cache[1], options, into: o, &e)
            }
            return try o.read(as: UInt32.self)
        }
        // A decode step takes a page at a time where one piece is taken by 128 keys: the same sums in another order.
        if tq > 1 {
            #expect(results[0] == results[1])
        } else {
            let floats = results.map { $0.map(Float.init(bitPattern:)) }
            #expect(largestError(floats[1], floats[0].map(Double.init)) < 1e-6)
        }
        #expect(throws: DeviceError.self) {
            var options = Attention.Options()
            options.pages = pages
            let odd = try device.makeTensor(dtype, [4, 48, hkv, d])
            try device.run { (e) throws(DeviceError) in
                try Attention.encode(q: q, k: odd, v: odd, keyCount: 48, options, into: q, &e)
            }
        }
    }

    @Test func rejectsHeadsThatDoNotDivide() throws {
        let device = try Device.open(.cpu)
        let q = try device.makeTensor(.f32, [1, 1, 3, 8])
        let k = try device.makeTensor(.f32, [1, 1, 2, 8])
        let lse = try device.makeTensor(.f32, [1, 1, 3])
        #expect(throws: DeviceError.self) {
            var encoder = try device.makeEncoder()
            try Attention.encode(q: q, k: k, v: k, isCausal: true, into: q, lse: lse, &encoder)
        }
    }

    @Test func causalCostCountsAttendedKeysOnly() {
        // Queries 0...2 over keys 0...2: 1 + 2 + 3 pairs.
        let cost = Attention.cost(.init(b: 1, tq: 3, tk: 3, hq: 2, hkv: 1, d: 8, isCausal: true))
        #expect(cost.flops == 4 * 2 * 8 * 6)
    }
}
