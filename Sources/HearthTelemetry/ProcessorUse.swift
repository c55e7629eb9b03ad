import Foundation

/// What others do with the processors while this program works: whether its times mean anything.
public struct ProcessorUse: Sendable {
    private let host: Host
    private let start = ContinuousClock.now
    private let busyAtStart, ownAtStart: Double?

    /// From now on.
    public init(_ host: Host = Host()) {
        self.host = host
        (busyAtStart, ownAtStart) = (ProcessorCollector.use(host)?.busySeconds, Self.ownSeconds)
    }

    /// Cores that other programs took on average, and other machines on the same host; nil where the kernel does not say.
    public func othersCores() -> Double? {
        guard let busyAtStart, let ownAtStart, let busy = ProcessorCollector.use(host)?.busySeconds,
            let own = Self.ownSeconds
        else { return nil }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        return seconds > 0 ? max(0, (busy - busyAtStart - (own - ownAtStart)) / seconds) : nil
    }

    private static var ownSeconds: Double? {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return nil }
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
}
