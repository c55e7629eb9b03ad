extension Ceilings {
    /// The least time a launch can take on this device: `max(FLOPs / F, bytes / B)`.
    ///
    /// - Parameter conservative: use the lower quartile of the measured ceilings, as placement does.
    public func seconds(for cost: Cost, conservative: Bool = false) -> Double {
        let flops = conservative ? f32FlopsPerSecond.lowerQuartile : f32FlopsPerSecond.median
        let read = conservative ? readBytesPerSecond.lowerQuartile : bytesPerSecond
        return max(cost.flops / flops, cost.byteCount / read)
    }

    /// The predicted time of a sequence of launches: `sum(max(FLOPs / F, bytes / B)) + submissions * latency`.
    public func predictedSeconds(
        for kernels: some Sequence<KernelCost>, submissions: Int, conservative: Bool = true
    ) -> Double {
        let work = kernels.reduce(0) { $0 + seconds(for: $1.cost, conservative: conservative) }
        return work + Double(submissions) * emptySubmitSeconds.median
    }
}

/// What was reached against what the device can do: rates and their shares of the measured ceilings.
public struct Achievement: Sendable, Hashable, Codable {
    public var flopsPerSecond: Double
    public var bytesPerSecond: Double
    /// Shares in 0...1; nil when the device's ceilings have not been measured.
    public var shareOfFlops: Double?
    public var shareOfBandwidth: Double?

    public init(cost: Cost, seconds: Double, ceilings: Ceilings?) {
        flopsPerSecond = seconds > 0 ? cost.flops / seconds : 0
        bytesPerSecond = seconds > 0 ? cost.byteCount / seconds : 0
        shareOfFlops = ceilings.map { [flopsPerSecond] in flopsPerSecond / $0.f32FlopsPerSecond.median }
        shareOfBandwidth = ceilings.map { [bytesPerSecond] in bytesPerSecond / $0.bytesPerSecond }
    }
}
