import HearthBench
import Testing

@Suite struct TunerTests {
    @Test func variantsThatSpillLoseToThoseThatDoNot() {
        let seconds = ["tile128": 1.0, "tile64": 1.5, "tile32": 2.0]
        var rejected: [String: String] = [:]
        #expect(Tuner.best(seconds, spills: ["tile128": 96, "tile64": 0], &rejected) == "tile64")
        #expect(rejected == ["tile128": "spills registers (96 by the driver's count)"])
    }

    @Test func theFastestWinsWhereAllSpill() {
        var rejected: [String: String] = [:]
        #expect(Tuner.best(["a": 1.0, "b": 2.0], spills: ["a": 96, "b": 8], &rejected) == "a")
        #expect(rejected.isEmpty && Tuner.best([:], spills: [:], &rejected) == nil)
    }
}
