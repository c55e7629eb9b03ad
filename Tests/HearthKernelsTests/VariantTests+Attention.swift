import HearthCompute
import HearthKernels
import Support
import Testing

/// Every variant of attention, forced one after the other, against f64 loops.
extension VariantTests {
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

    /// One problem of 16-bit attention.
    private struct Case {
        var b = 1
        let tq, tk, hq, hkv, d: Int
        var isCausal = true
        var window: Int?
        var softcap: Float?
        /// 1 added to the scores, 2 hiding.
        var mask = 0
    }

    /// Whether the variant is the smallest of its kind that holds the head: pipelines take software drivers seconds each.
    private func isMeant(_ way: Way, _ dtype: DType, for d: Int) -> Bool {
        let variant = ShaderCatalog.variants(of: "attention_\(dtype)_\(dtype)").first { $0.name == way.variant }!
        return [0, d <= 64 ? 64 : 128].contains(variant.tile.columns)
    }

    /// 16 bits throughout, on matrix units too: probabilities are rounded to them, so the result is right to that. Rows that are
    /// no whole tile, heads no multiple of eight or sixteen, blocks of keys that all rows see and that some do, rows without a key.
    @Test(arguments: halfAttention)
    func halfAttentionMatchesReference(way: Way, dtype: DType) throws {
        let device = try TestDevices.device(way.selector)
        for c in [
            Case(tq: 1, tk: 40, hq: 2, hkv: 1, d: 64, softcap: 20), Case(b: 2, tq: 150, tk: 210, hq: 2, hkv: 1, d: 64),
            Case(b: 2, tq: 40, tk: 100, hq: 3, hkv: 1, d: 128, window: 7, softcap: 20, mask: 2),
            Case(tq: 5, tk: 3, hq: 2, hkv: 2, d: 24), Case(tq: 17, tk: 130, hq: 1, hkv: 1, d: 100, isCausal: false),
            Case(tq: 9, tk: 50, hq: 2, hkv: 1, d: 13, mask: 1),
        ] where isMeant(way, dtype, for: c.d) {
            var random = TestRandom(UInt64(c.tq + c.tk + c.d))
            func halves(_ shape: [Int]) throws -> (Tensor, [Float]) {
                let made = Quantiser.make(dtype, count: shape.reduce(1, *), &random)
                let tensor = try device.makeTensor(dtype, shape)
                try tensor.write(made.bytes)
                return (tensor, made.values)
            }
            let (q, qs) = try halves([c.b, c.tq, c.hq, c.d])
            let (k, ks) = try halves([c.b, c.tk, c.hkv, c.d])
            let (v, vs) = try halves([c.b, c.tk, c.hkv, c.d])
            let o = try device.makeTensor([Float](repeating: .nan, count: qs.count), q.shape)
            let lse = try device.makeTensor(.f32, [c.b, c.tq, c.hq])
            var options = Attention.Options()
            (options.isCausal, options.window, options.softcap) = (c.isCausal, c.window, c.softcap)
            let added = random.floats(c.tq * c.tk)
            if c.mask == 1 { options.mask = try device.makeTensor(added, [1, 1, c.tq, c.tk]) }
            if c.mask == 2 {
                let hides = try device.makeTensor(.i8, [1, 1, c.tq, c.tk])
                try hides.write(added.map { Int8($0 > 0 ? 1 : 0) })
                options.mask = hides
            }
            try with(device, forced([way.variant])) {
                try device.run { (e) throws(DeviceError) in
                    try Attention.encode(q: q, k: k, v: v, options, into: o, lse: lse, &e)
                }
            }
            let problem = Attention.Problem(
                b: c.b, tq: c.tq, tk: c.tk, hq: c.hq, hkv: c.hkv, d: c.d, isCausal: c.isCausal, window: c.window,
                queries: dtype, keys: dtype)
            let masks: [((Int, Int, Int, Int) -> Double)?] = [
                nil, { Double(added[$2 * c.tk + $3]) }, { added[$2 * c.tk + $3] > 0 ? 0 : -.infinity },
            ]
            let expected = Attention.reference(
                problem, q: qs, k: ks, v: vs, softcap: c.softcap.map(Double.init), mask: masks[c.mask])
            let (largest, rounding) = (Double(vs.map(abs).max()!), dtype == .f16 ? 1e-3 : 8e-3)
            let label: Comment = "\(way.variant) \(dtype) \(c)"
            #expect(largestError(try o.read(as: Float.self), expected.o) < rounding * largest, label)
            for (got, want) in zip(try lse.read(as: Float.self), expected.lse) {
                #expect(abs(Double(got) - want) <= 2 * rounding + 2e-7 * abs(want), label)
            }
        }
    }

    /// Sequences of their own lengths, one without a key, in 16-bit caches of one piece and of pages that lie in reverse.
    @Test(arguments: halfAttention)
    func halfCachesOfManyLengthsMatchReference(way: Way, dtype: DType) throws {
        guard isMeant(way, dtype, for: 64) else { return }
        let device = try TestDevices.device(way.selector)
        let (counts, tq, hq, hkv, d, page, capacity) = ([75, 0, 16], 5, 4, 2, 64, 16, 80)
        var random = TestRandom(8)
        let n = counts.count * capacity / page
        let made = [tq * hq, capacity * hkv, capacity * hkv].map {
            Quantiser.make(dtype, count: counts.count * $0 * d, &random)
        }
        let q = try device.makeTensor(dtype, [counts.count, tq, hq, d])
        try q.write(made[0].bytes)
        let keyCounts = try device.makeTensor(.i32, [counts.count])
        try keyCounts.write(counts.map(Int32.init))
        let pages = try device.makeTensor(.i32, [counts.count, capacity / page])
        try pages.write((0..<n).map { Int32(n - 1 - $0) })
        for isPaged in [false, true] {
            let cache = try made.dropFirst().map { values in
                let tensor = try device.makeTensor(
                    dtype, isPaged ? [n, page, hkv, d] : [counts.count, capacity, hkv, d])
                let bytes = page * hkv * d * 2
                let inOrder = stride(from: 0, to: values.bytes.count, by: bytes).map {
                    Array(values.bytes[$0..<$0 + bytes])
                }
                try tensor.write(Array((isPaged ? inOrder.reversed() : inOrder).joined()))
                return tensor
            }
            var options = Attention.Options()
            (options.isCausal, options.keyCounts, options.pages) = (true, keyCounts, isPaged ? pages : nil)
            let o = try device.makeTensor([Float](repeating: .nan, count: made[0].values.count), q.shape)
            try with(device, forced([way.variant])) {
                try device.run { (e) throws(DeviceError) in
                    try Attention.encode(q: q, k: cache[0], v: cache[1], options, into: o, &e)
                }
            }
            let got = try o.read(as: Float.self)
            for (i, count) in counts.enumerated() {
                func of(_ which: Int, _ rows: Int, _ each: Int) -> [Float] {
                    Array(made[which].values[i * each..<i * each + rows])
                }
                let problem = Attention.Problem(
                    b: 1, tq: tq, tk: count, hq: hq, hkv: hkv, d: d, isCausal: true, queries: dtype, keys: dtype)
                let row = hkv * d
                let expected = Attention.reference(
                    problem, q: of(0, tq * hq * d, tq * hq * d), k: of(1, count * row, capacity * row),
                    v: of(2, count * row, capacity * row))
                let largest = Double(made[2].values.map(abs).max()!)
                #expect(
                    largestError(Array(got[i * tq * hq * d..<(i + 1) * tq * hq * d]), expected.o)
                        < (dtype == .f16 ? 1e-3 : 8e-3) * largest,
                    "\(way.variant) \(dtype) sequence \(i), paged \(isPaged)")
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
}
