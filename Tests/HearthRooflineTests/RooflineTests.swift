import HearthRoofline
import Testing

@Suite struct RooflineTests {
    private func value(_ median: Double) -> MeasuredValue {
        MeasuredValue(samples: [median * 0.9, median, median * 1.1])!
    }

    private var ceilings: Ceilings {
        Ceilings(
            device: "cpu", deviceName: "x", driver: "y", measuredAt: 0, f32FlopsPerSecond: value(100),
            copyBytesPerSecond: value(8), readBytesPerSecond: value(10), triadBytesPerSecond: value(9),
            hostToDeviceBytesPerSecond: value(1), deviceToHostBytesPerSecond: value(1), emptySubmitSeconds: value(0.5))
    }

    @Test func quantilesInterpolate() throws {
        let value = try #require(MeasuredValue(samples: [4, 1, 3, 2]))
        #expect(value.median == 2.5 && value.lowerQuartile == 1.75 && value.upperQuartile == 3.25)
        #expect(MeasuredValue(samples: []) == nil)
    }

    @Test func predictionTakesTheSlowerRoof() {
        #expect(ceilings.seconds(for: Cost(flops: 200, bytesRead: 5)) == 2)
        #expect(ceilings.seconds(for: Cost(flops: 10, bytesRead: 20, bytesWritten: 10)) == 3)
    }

    @Test func predictionAddsSubmissionsAndStaysCautious() {
        let kernels = [
            KernelCost(kernel: "a", cost: Cost(flops: 95)), KernelCost(kernel: "b", cost: Cost(bytesRead: 9.5)),
        ]
        let seconds = ceilings.predictedSeconds(for: kernels, submissions: 2)
        // Lower quartiles: 95 FLOP/s and 9.5 B/s; two round trips of half a second.
        #expect(abs(seconds - 3) < 1e-12)
    }

    @Test func sharesAreOfTheMeasuredCeilings() {
        let achieved = Achievement(cost: Cost(flops: 50, bytesRead: 5), seconds: 1, ceilings: ceilings)
        #expect(achieved.shareOfFlops == 0.5 && achieved.shareOfBandwidth == 0.5)
        #expect(Achievement(cost: .zero, seconds: 0, ceilings: nil).shareOfFlops == nil)
    }
}
