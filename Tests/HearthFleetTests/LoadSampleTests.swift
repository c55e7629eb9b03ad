import Foundation
import HearthFleet
import Testing

@Suite struct LoadSampleTests {
    private func sample(_ at: Double, _ seconds: Double, _ busy: Double) -> LoadSample {
        LoadSample(at: at, seconds: seconds, values: ["cpu_busy_ratio": busy])
    }

    @Test func longerOnesWeighMore() throws {
        var odd = sample(40, 10, 0.5)
        odd.values["power_watts"] = .init(mean: 90, least: 80, most: 120)
        let one = try #require(LoadSample.merged([sample(30, 30, 0.1), odd]))
        #expect(one.at == 40 && one.seconds == 40)
        let busy = try #require(one.values["cpu_busy_ratio"])
        #expect(abs(busy.mean - 0.2) < 1e-12 && busy.least == 0.1 && busy.most == 0.5)
        // What only one has is its own.
        #expect(one.values["power_watts"] == .init(mean: 90, least: 80, most: 120))
        #expect(LoadSample.merged([]) == nil)
    }

    /// However often and however coarsely they are merged, nothing of the whole is lost.
    @Test func mergingInStepsIsMergingAtOnce() throws {
        let all = (1...4000).map { sample(Double($0) * 15, 15, Double($0 * 37 % 101) / 100) }
        let minutes = LoadSample.merged(all, everySeconds: 60)
        #expect(
            minutes.count == 1000 && minutes.allSatisfy { $0.seconds == 60 && $0.at.remainder(dividingBy: 60) == 0 })
        let hours = LoadSample.merged(minutes, everySeconds: 3600)
        #expect(hours.count == 17)
        let whole = try #require(LoadSample.merged(all)?.values["cpu_busy_ratio"])
        let steps = try #require(LoadSample.merged(hours)?.values["cpu_busy_ratio"])
        #expect(abs(whole.mean - steps.mean) < 1e-12 && whole.least == steps.least && whole.most == steps.most)
        // What is coarser already stays.
        #expect(LoadSample.merged(hours, everySeconds: 60) == hours)
    }

    @Test func whatCannotBeIsSeen() {
        #expect(sample(1000, 15, 0.5).isPlausible(now: 1000) && sample(4000, 15, 0.5).isPlausible(now: 1000))
        for bad in [
            sample(5000, 15, 0.5), sample(0, 15, 0.5), sample(.nan, 15, 0.5), sample(10, 0, 0.5), sample(10, 1e9, 0.5),
            sample(10, 15, .infinity), sample(10, 15, 1e300),
            LoadSample(at: 10, seconds: 1, values: ["a": .init(mean: 3, least: 1, most: 2)]),
            LoadSample(at: 10, seconds: 1, values: ["../x<y>": 1.0]),
            LoadSample(at: 10, seconds: 1, values: Dictionary((0..<65).map { ("a\($0)", 1.0) }) { a, _ in a }),
        ] {
            #expect(!bad.isPlausible(now: 1000), "\(bad)")
        }
    }
}
