import HearthCoordinator
import Testing

/// Deadlines of an hour: what comes back comes back for another reason.
@Suite(.timeLimit(.minutes(1))) struct StepSignalTests {
    private let hour = ContinuousClock.now + .seconds(3600)

    @Test func whatHappenedBeforeIsNotWaitedFor() async {
        let signal = StepSignal()
        let step = signal.step
        signal.advance()
        await signal.wait(after: step, until: hour)
        #expect(signal.step == step + 1)
    }

    @Test func everyoneIsWoken() async {
        let signal = StepSignal()
        let step = signal.step
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 { group.addTask { await signal.wait(after: step, until: hour) } }
            try? await Task.sleep(for: .milliseconds(50))
            signal.advance()
        }
    }

    @Test func deadlineAndCancellationEndIt() async {
        let signal = StepSignal()
        await signal.wait(after: signal.step, until: .now + .milliseconds(20))
        let waiting = Task { await signal.wait(after: signal.step, until: hour) }
        try? await Task.sleep(for: .milliseconds(20))
        waiting.cancel()
        await waiting.value
        #expect(signal.step == 0)
    }
}
