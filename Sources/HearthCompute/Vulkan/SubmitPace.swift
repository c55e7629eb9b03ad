import HearthRoofline

/// How fast a device has been working, for cutting submissions to a length in time: a driver resets a device whose one
/// submission takes seconds.
struct SubmitPace: Sendable {
    /// Before anything was measured: what a slow device of the kind does.
    private let assumed: Double
    private var workPerSecond: Double?

    init(isSoftware: Bool) { assumed = isSoftware ? 1e9 : 2e11 }

    /// FLOPs or four times the bytes, whichever is more: near enough to compare kernels by.
    static func work(_ cost: Cost) -> Double { max(cost.flops, 4 * cost.byteCount) }

    func work(in budget: Duration) -> Double { (workPerSecond ?? assumed) * budget.seconds }

    /// The slower half counts at once, the faster slowly: a budget is kept by the slowest kernels.
    mutating func learn(work: Double, took duration: Duration) {
        // Small or short ones tell of latency, not of pace.
        guard work > 1e6, duration.seconds > 2e-3 else { return }
        let measured = work / duration.seconds
        guard let known = workPerSecond else { return workPerSecond = measured }
        workPerSecond = measured < known ? measured : known + 0.1 * (measured - known)
    }
}
