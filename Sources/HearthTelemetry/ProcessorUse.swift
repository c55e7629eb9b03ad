import Foundation

/// What others do with the processors while this program works: whether its times mean anything.
///
/// - Source: proc(5), /proc/stat in hundredths of a second; times of guests are in those of users.
public struct ProcessorUse: Sendable {
    private let host: Host
    private let start = ContinuousClock.now
    private let busyAtStart, ownAtStart: Double?

    /// From now on.
    public init(_ host: Host = Host()) {
        self.host = host
        (busyAtStart, ownAtStart) = (Self.busySeconds(host), Self.ownSeconds)
    }

    /// Cores that other programs took on average, and other machines on the same host; nil where the kernel does not say.
    public func othersCores() -> Double? {
        guard let busyAtStart, let ownAtStart, let busy = Self.busySeconds(host), let own = Self.ownSeconds else {
            return nil
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        return seconds > 0 ? max(0, (busy - busyAtStart - (own - ownAtStart)) / seconds) : nil
    }

    /// Of all processors: everything but idling and waiting for disks.
    private static func busySeconds(_ host: Host) -> Double? {
        guard let line = host.lines("/proc/stat").first(where: { $0.hasPrefix("cpu ") }) else { return nil }
        let ticks = line.split(separator: " ").dropFirst().prefix(8).map { Double($0) ?? 0 }
        guard ticks.count == 8 else { return nil }
        return (ticks.reduce(0, +) - ticks[3] - ticks[4]) / 100
    }

    private static var ownSeconds: Double? {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return nil }
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
}
