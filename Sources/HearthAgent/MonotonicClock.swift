import CProcess
import Foundation

/// Seconds since the machine booted, sleep included. Comparable between processes, so a restarted agent can go on
/// measuring; after a reboot it begins again, and so do all jobs.
package enum MonotonicClock {
    package static var seconds: Double {
        var now = timespec()
        clock_gettime(CLOCK_BOOTTIME, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) * 1e-9
    }
}

/// The clock that people set.
package enum WallClock {
    /// Whether something keeps it right.
    package static var isSynchronised: Bool { cprocess_clock_is_synchronised() }
}
