import ServiceLifecycle
import Synchronization

/// Counts what happens, and wakes those who wait for it: a node that waits costs nothing until then.
package final class StepSignal: Sendable {
    private struct State {
        var step = 0
        var waiters: [Int: AsyncStream<Never>.Continuation] = [:]
        var nextTicket = 0
    }

    private let state = Mutex(State())

    package init() {}

    package var step: Int { state.withLock(\.step) }

    package func advance() {
        let woken = state.withLock { state in
            state.step += 1
            defer { state.waiters = [:] }
            return state.waiters.values.map(\.self)
        }
        for waiter in woken { waiter.finish() }
    }

    /// Until something happened after `step`, until `deadline`, until the task is cancelled or the service is to end.
    package func wait(after step: Int, until deadline: ContinuousClock.Instant) async {
        let (stream, waiter) = AsyncStream<Never>.makeStream()
        let ticket = state.withLock { state -> Int? in
            guard state.step == step else { return nil }
            state.nextTicket += 1
            state.waiters[state.nextTicket] = waiter
            return state.nextTicket
        }
        guard let ticket else { return }
        let timer = Task {
            try? await Task.sleep(until: deadline)
            waiter.finish()
        }
        defer {
            timer.cancel()
            state.withLock { _ = $0.waiters.removeValue(forKey: ticket) }
        }
        await withTaskCancellationOrGracefulShutdownHandler {
            for await _ in stream {}
        } onCancelOrGracefulShutdown: {
            waiter.finish()
        }
    }
}
