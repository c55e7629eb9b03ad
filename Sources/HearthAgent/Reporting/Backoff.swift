/// How long to wait before the next try: longer each time, and each node another while, so that those that lost their coordinator together do not come back
/// together.
struct Backoff {
    private var failures = 0

    private static let (first, longest) = (0.5, 15.0)

    mutating func succeeded() { failures = 0 }

    /// - Parameter limit: seconds that it never waits beyond.
    mutating func failed(limit: Double = longest) -> Duration {
        failures = min(failures + 1, 10)
        let most = min(Self.longest, limit, Self.first * Double(1 << failures))
        return .seconds(.random(in: most / 2...most))
    }
}
