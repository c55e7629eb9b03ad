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
        (1, 6, 3, 2, 1, 16, true), (1, 2, 5, 1, 1, 256, true), (1, 4, 0, 2, 1, 8, false), (1, 2, 3, 1, 1, 512, false),
    ].map { Case(b: $0.0, tq: $0.1, tk: $0.2, hq: $0.3, hkv: $0.4, d: $0.5, isCausal: $0.6) }

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
