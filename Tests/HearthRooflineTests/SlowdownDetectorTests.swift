import HearthRoofline
import Support
import Testing

extension SlowdownDetector {
    /// Takes in windows. - Returns: at which of them the verdict changed.
    fileprivate mutating func changes(_ rates: [Double]) -> [Int] {
        rates.indices.filter { observe(rates[$0]) }
    }
}

@Suite struct SlowdownDetectorTests {
    /// Rates around `middle` that scatter by `deviation`, about normally.
    private func rates(
        _ count: Int, _ middle: Double, deviation: Double, _ random: inout TestRandom
    ) -> [Double] {
        (0..<count).map { _ in
            let scatter = (0..<12).reduce(-6.0) { sum, _ in sum + Double.random(in: 0..<1, using: &random) }
            return middle * (1 + deviation * scatter)
        }
    }

    /// Of a hundred devices that scatter by a hundredth, as this kind of machine does, each is found in three windows.
    @Test func aTenthLessIsSeenInThreeWindows() {
        for seed in 0..<100 {
            var random = TestRandom(UInt64(seed))
            var detector = SlowdownDetector()
            let windows = rates(20, 250, deviation: 0.01, &random) + rates(3, 225, deviation: 0.01, &random)
            let changes = detector.changes(windows)
            #expect(changes == [22], "seed \(seed)")
            #expect(detector.isSlow && abs(detector.share! - 0.9) < 0.03, "seed \(seed): \(detector.share!)")
            // Three good windows make it well again, once.
            let recovery = detector.changes(rates(3, 250, deviation: 0.01, &random))
            #expect(recovery.count == 1 && !detector.isSlow, "seed \(seed)")
        }
    }

    /// A week of windows every half hour, of a hundred devices each; the noisier, the more it takes.
    @Test(arguments: [0.002, 0.01, 0.04, 0.1]) func noiseAloneIsNoSlowdown(deviation: Double) {
        var random = TestRandom(7)
        var alarms = 0
        for _ in 0..<100 {
            var detector = SlowdownDetector()
            alarms += detector.changes(rates(336, 1e9, deviation: deviation, &random)).count
        }
        #expect(alarms == 0)
    }

    /// GFLOP/s of an end-to-end run: a machine that scattered by more than a hundredth, then a quota of nine tenths of it.
    @Test func aQuotaOnAnUnevenMachineIsSeen() {
        let free = [332.2, 334.3, 330.2, 343.2, 174.5, 330.6, 338.2, 346.2, 344.5, 338.0, 333.6, 338.2, 328.6]
        let held = [307.3, 302.0, 304.9, 306.8, 303.6, 307.4, 310.9, 312.9, 315.5]
        var detector = SlowdownDetector()
        let changes = detector.changes(free + held)
        #expect(changes == [free.count + 2] && detector.isSlow)
    }

    /// GB/s of memory copies, half a minute apart on a virtual machine whose memory has fast and slow places. Held against the first eight, the
    /// eleventh to the thirteenth would be slow.
    @Test func memoryThatWandersIsNotSlow() {
        let rates = [
            57.2, 59.3, 58.9, 52.1, 61.1, 55.0, 61.5, 64.9, 64.4, 51.0, 34.5, 38.9, 40.2, 38.5, 43.1, 47.3, 32.6, 49.5,
            48.5, 41.4, 50.2, 45.8, 50.1, 58.6, 61.5, 67.0, 54.9,
        ]
        var detector = SlowdownDetector()
        let changes = detector.changes(rates)
        #expect(changes.isEmpty)
        // Far less than it was at its slowest is.
        let slower = detector.changes([20, 20, 20])
        #expect(slower == [2])
    }

    /// Slow, and then faster than ever: it is told that it is well.
    @Test func aNewReferenceEndsASlowdown() {
        var detector = SlowdownDetector()
        let changes = detector.changes([Double](repeating: 100, count: 12) + [85, 85, 85, 120, 120, 120])
        #expect(changes == [14, 16] && !detector.isSlow)
    }

    @Test func anOutlierIsNoSlowdown() {
        var detector = SlowdownDetector()
        let changes = detector.changes((0..<60).map { $0 % 3 == 2 ? 50 : 100 })
        #expect(changes.isEmpty)
    }

    /// A device that loses a fiftieth a day does not take its reference with it.
    @Test func aSlowDeclineIsSeen() {
        var detector = SlowdownDetector()
        let changes = detector.changes((0..<480).map { 100 * (1 - Double($0) / 48 * 0.02) })
        #expect(changes.count == 1 && changes[0] < 240, "\(changes)")
    }

    /// Known first while something held it back: what it does freely is the reference then.
    @Test func aFasterDeviceGetsANewReference() {
        var detector = SlowdownDetector()
        let changes = detector.changes([Double](repeating: 80, count: 12) + [Double](repeating: 100, count: 12))
        #expect(changes.isEmpty)
        let slower = detector.changes([90, 90, 90])
        #expect(slower == [2])
    }

    @Test func nonsenseIsNotTakenIn() {
        var detector = SlowdownDetector()
        let changes = detector.changes([0, -1, .nan, .infinity])
        #expect(changes.isEmpty && detector.share == nil && detector == SlowdownDetector())
    }
}
