import HearthCompute
import Testing

/// How long submissions may be is learnt from each shader's own.
@Suite struct SubmitPaceTests {
    private func work(_ amount: Double, by shaders: String...) -> SubmitPace.Work {
        var work = SubmitPace.Work()
        for shader in shaders { work.add(amount / Double(shaders.count), by: shader) }
        return work
    }

    /// A fast shader, whose cut submissions are over in microseconds, gets the length of its own pace; others keep theirs.
    @Test func aFastShaderIsSeenAtItsOwnPace() {
        var pace = SubmitPace(isSoftware: false)
        let before = pace.work(in: .seconds(1), of: "matrix")
        pace.learn(work(1e10, by: "matrix"), took: .microseconds(100))
        #expect(pace.work(in: .seconds(1), of: "matrix") == 1e14)
        #expect(pace.work(in: .seconds(1), of: "vector") == before)
        #expect(pace.work(in: .seconds(1)) == before)
        // Latency makes a short submission look slow: nothing is unlearnt from it.
        pace.learn(work(1e8, by: "matrix"), took: .microseconds(100))
        #expect(pace.work(in: .seconds(1), of: "matrix") == 1e14)
    }

    /// A slow submission that is long counts at once, a fast one slowly.
    @Test func slowCountsAtOnceAndFastSlowly() {
        var pace = SubmitPace(isSoftware: false)
        pace.learn(work(1e12, by: "matrix"), took: .milliseconds(10))
        pace.learn(work(1e12, by: "matrix"), took: .seconds(1))
        #expect(pace.work(in: .seconds(1), of: "matrix") == 1e12)
        pace.learn(work(1e12, by: "matrix"), took: .milliseconds(100))
        #expect(abs(pace.work(in: .seconds(1), of: "matrix") / 1.9e12 - 1) < 1e-9)
    }

    /// Of a shader that was never alone for long enough, the device's pace stays what is known, also when that falls.
    @Test func aShortAndSlowRunTeachesNothing() {
        var pace = SubmitPace(isSoftware: false)
        pace.learn(work(1e12, by: "matrix", "vector"), took: .milliseconds(10))
        pace.learn(work(1e8, by: "vector"), took: .microseconds(100))
        pace.learn(work(1e9, by: "other"), took: .milliseconds(10))
        #expect(pace.work(in: .seconds(1), of: "vector") == 1e11)
    }

    /// A fast shader alone does not lengthen what others may take; a slow one shortens it.
    @Test func oneShaderMayOnlyWarnTheOthers() {
        var pace = SubmitPace(isSoftware: false)
        pace.learn(work(1e13, by: "matrix"), took: .milliseconds(100))
        #expect(pace.work(in: .seconds(1), of: "vector") == 2e11)
        pace.learn(work(1e9, by: "slow"), took: .milliseconds(100))
        #expect(pace.work(in: .seconds(1), of: "vector") == 1e10)
    }

    /// What several shaders did together says nothing of either, but of the device.
    @Test func sharedWorkIsOfNoShader() {
        var pace = SubmitPace(isSoftware: false)
        pace.learn(work(1e12, by: "matrix", "vector"), took: .milliseconds(10))
        #expect(pace.work(in: .seconds(1)) == 1e14)
        pace.learn(work(1e9, by: "vector"), took: .milliseconds(10))
        #expect(pace.work(in: .seconds(1), of: "vector") == 1e11)
        #expect(work(1, by: "matrix", "vector").shader == nil && work(1, by: "matrix", "matrix").shader == "matrix")
    }
}
