import HearthRoofline
import Support
import Testing

@Suite struct KernelHistoryTests {
    private func work(_ flops: Double, launches: Int = 1) -> KernelWork {
        KernelWork("k", Cost(flops: flops), launches: launches)
    }

    @Test func whatWasNeverSeenIsAtItsRoof() {
        let found = KernelHistory().seconds(work(2e9, launches: 3), Ceilings.even())
        #expect(found.seconds == 6 && !found.isMeasured)
        #expect(KernelHistory().seconds(KernelWork("start.bench", .zero), Ceilings.even()).seconds == 0)
    }

    @Test func theShortfallOfTheNearestSizesCounts() {
        // Small ones reach a tenth of the roof, large ones half.
        let times =
            (0..<5).map { _ in KernelTime(work(1e6, launches: 100), seconds: 1) }
            + (0..<5).map { _ in KernelTime(work(1e9), seconds: 2) }
        let history = KernelHistory(times)
        #expect(abs(history.seconds(work(1e6), Ceilings.even()).seconds - 0.01) < 1e-9)
        #expect(abs(history.seconds(work(2e9, launches: 10), Ceilings.even()).seconds - 40) < 1e-9)
        // Another ceiling moves with it: measured again, the device is the same.
        #expect(abs(history.seconds(work(2e9), Ceilings.even(2e9)).seconds - 4) < 1e-9)
    }

    @Test func oneThatWasSlowOnceDoesNotCount() {
        let seconds = [1.0, 1.01, 0.99, 9, 1.02, 1]
        let history = KernelHistory(seconds.map { KernelTime(work(1e9), seconds: $0) })
        #expect(abs(history.seconds(work(1e9), Ceilings.even()).seconds - 1) < 0.03)
    }

    @Test func whatIsTooShortTeachesNothing() {
        let history = KernelHistory([KernelTime(work(1e6), seconds: 1e-3)])
        #expect(!history.seconds(work(1e6), Ceilings.even()).isMeasured)
    }

    @Test func startsAreTheirMedian() {
        let start = KernelWork("start.bench", .zero)
        let history = KernelHistory([0.2, 0.3, 4].map { KernelTime(start, seconds: $0) })
        let prediction = JobPrediction([work(1e9), start], Ceilings.even(), history)
        #expect(abs(prediction.seconds - 1.3) < 1e-9)
        #expect(prediction.measuredKernels == 1 && prediction.kernels == 2)
    }
}
