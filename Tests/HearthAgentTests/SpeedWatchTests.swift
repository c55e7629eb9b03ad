import HearthAgent
import HearthRoofline
import Support
import Testing

@Suite struct SpeedWatchTests {
    private func speed(_ flops: Double, bytes: Double = 10, others: Double? = 0, given: Double? = nil) -> DeviceSpeed {
        func value(_ rate: Double) -> MeasuredValue { MeasuredValue(samples: [rate * 0.8, rate, rate])! }
        var speed = DeviceSpeed(
            device: "cpu", deviceName: "x", driver: "y", f32FlopsPerSecond: value(flops),
            copyBytesPerSecond: value(bytes))
        speed.otherCores = others
        speed.coresGiven = given.map(value)
        return speed
    }

    @Test func eachFigureIsWatched() {
        var watch = SpeedWatch(identity: "x")
        for _ in 0..<8 { watch.observe(speed(100)) }
        #expect(watch.slowness == nil && watch.figures.map(\.name) == ["f32 arithmetic", "memory bandwidth"])
        for _ in 0..<3 { watch.observe(speed(100, bytes: 8.5)) }
        #expect(
            watch.slowness?.hasPrefix("memory bandwidth at 85.0 % of what it was") == true, "\(watch.slowness ?? "-")")
        #expect(watch.figures.map(\.isSlow) == [false, true])

        // What becomes slow besides, or well again, is said at once.
        for _ in 0..<3 { watch.observe(speed(80, bytes: 8.5)) }
        #expect(watch.slowness?.contains("f32 arithmetic at 80.0 %") == true, "\(watch.slowness ?? "-")")
        for _ in 0..<3 { watch.observe(speed(80)) }
        #expect(watch.slowness?.contains("memory") == false, "\(watch.slowness ?? "-")")
    }

    @Test func whatOthersTookIsNotTheDevices() {
        var watch = SpeedWatch(identity: "x")
        for _ in 0..<8 { watch.observe(speed(100)) }
        for _ in 0..<9 { watch.observe(speed(50, others: 0.9)) }
        #expect(watch.slowness == nil)
        for _ in 0..<3 { watch.observe(speed(88, others: nil)) }
        #expect(watch.slowness?.hasPrefix("f32 arithmetic at 88.0 %") == true)
    }

    /// GFLOP/s and cores as they were on a machine whose neighbours came and went, then under a quota of nine tenths.
    @Test func aQuotaShowsInTheTimeThatIsGiven() {
        var watch = SpeedWatch(identity: "x")
        let free = [345.1, 174.4, 344.7, 337.3, 344.9, 331.6, 337.5, 346.4, 341.0, 347.9, 337.0]
        for (round, rate) in free.enumerated() {
            watch.observe(speed(rate, given: 1.9886 + 0.0008 * Double(round % 10)))
        }
        #expect(watch.slowness == nil)
        for (rate, given) in [(303.8, 1.8246), (300.7, 1.8186), (305.5, 1.8090)] {
            watch.observe(speed(rate, given: given))
        }
        #expect(watch.slowness?.contains("processor time given at 91") == true, "\(watch.slowness ?? "-")")
    }

    /// Of different kernels and sizes, each against what it took itself; loading does not count.
    @Test func slowKernelsOfJobsAreSeen() {
        var watch = SpeedWatch(identity: "x")
        func job(_ round: Int, slower: Double) -> [KernelTime] {
            let size = [1e8, 4e8, 2e9][round % 3]
            let shortfall = [7.0, 3, 2][round % 3]
            return [
                KernelTime(KernelWork("load", Cost(bytesRead: 1e9)), seconds: 50),
                KernelTime(
                    KernelWork("gemm", Cost(flops: size), launches: 4), seconds: 4 * size / 1e9 * shortfall * slower),
            ]
        }
        for round in 0..<30 { watch.observe(job(round, slower: 1), .even()) }
        #expect(watch.slowness == nil)
        for round in 0..<3 { watch.observe(job(round, slower: 1.12), .even()) }
        #expect(watch.slowness?.hasPrefix("kernels of jobs at 89") == true, "\(watch.slowness ?? "-")")
        // What it takes now does not become what it took before.
        for round in 0..<60 { watch.observe(job(round, slower: 1.12), .even()) }
        #expect(watch.slowness != nil)
        for round in 0..<3 { watch.observe(job(round, slower: 1), .even()) }
        #expect(watch.slowness == nil)
    }
}
