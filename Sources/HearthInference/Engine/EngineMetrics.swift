import HearthRoofline

/// What the engine has done since it started, and how it stands.
public struct EngineMetrics: Sendable {
    public internal(set) var accepted = 0
    public internal(set) var refused = 0
    public internal(set) var cancelled = 0
    public internal(set) var completed = 0
    public internal(set) var failed = 0
    public internal(set) var preempted = 0
    public internal(set) var queued = 0
    public internal(set) var active = 0
    /// Pages of keys and values: all, and those that sequences hold.
    public internal(set) var pages = 0
    public internal(set) var heldPages = 0
    public internal(set) var promptTokens = 0
    /// Of those, found in the cache.
    public internal(set) var cachedTokens = 0
    public internal(set) var generatedTokens = 0
    public internal(set) var passes = 0
    /// Passes that failed since the last one that did not, and when the last of them was.
    public internal(set) var failedPasses = 0
    var lastFailure: ContinuousClock.Instant?

    /// Several passes failed on end, and lately: without requests there are none that could succeed.
    public var isFailing: Bool {
        guard let lastFailure, failedPasses >= 3 else { return false }
        return ContinuousClock.now - lastFailure < .seconds(30)
    }
    public internal(set) var busySeconds = 0.0
    /// Modelled work of all passes.
    public internal(set) var flops = 0.0
    public internal(set) var bytes = 0.0
    public internal(set) var timeToFirstToken = Histogram()
    public internal(set) var timePerOutputToken = Histogram()

    /// Counts in buckets of seconds, each up to its bound.
    public struct Histogram: Sendable {
        public static let bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
        public private(set) var counts = [Int](repeating: 0, count: bounds.count + 1)
        public private(set) var sum = 0.0
        public var count: Int { counts.reduce(0, +) }

        mutating func add(_ seconds: Double) {
            counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
            sum += seconds
        }
    }

    /// When a place is likely free, from how long requests have taken.
    func retryAfterSeconds(queued: Int) -> Int {
        guard completed > 0 else { return 1 }
        return min(60, max(1, Int((busySeconds / Double(completed) * Double(queued)).rounded(.up))))
    }
}
