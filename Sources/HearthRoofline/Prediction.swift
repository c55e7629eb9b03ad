extension Ceilings {
    /// The least time a launch can take on this device: `max(FLOPs / F, bytes / B)`.
    ///
    /// - Parameter conservative: use the lower quartile of the measured ceilings, as placement does.
    public func seconds(for cost: Cost, arithmetic: Arithmetic = .f32, conservative: Bool = false) -> Double {
        let peak = flopsPerSecond(arithmetic)
        let flops = conservative ? peak.lowerQuartile : peak.median
        let read = conservative ? readBytesPerSecond.lowerQuartile : bytesPerSecond
        return max(cost.flops / flops, cost.byteCount / read)
    }

    /// The predicted time of a sequence of launches: `sum(max(FLOPs / F, bytes / B)) + submissions * latency`.
    public func predictedSeconds(
        for kernels: some Sequence<KernelCost>, submissions: Int, conservative: Bool = true
    ) -> Double {
        let work = kernels.reduce(0) {
            $0 + seconds(for: $1.cost, arithmetic: $1.arithmetic, conservative: conservative)
        }
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

    public init(cost: Cost, arithmetic: Arithmetic = .f32, seconds: Double, ceilings: Ceilings?) {
        self.init(
            kernels: [KernelCost(kernel: "", cost: cost, arithmetic: arithmetic)], seconds: seconds, ceilings: ceilings)
    }

    /// Of a sequence of launches: each kind of arithmetic takes its share of its own ceiling.
    public init(kernels: [KernelCost], seconds: Double, ceilings: Ceilings?) {
        let cost = kernels.reduce(Cost.zero) { $0 + $1.cost }
        flopsPerSecond = seconds > 0 ? cost.flops / seconds : 0
        bytesPerSecond = seconds > 0 ? cost.byteCount / seconds : 0
        shareOfFlops = ceilings.map { ceilings in
            let atPeak = kernels.reduce(0) { $0 + $1.cost.flops / ceilings.flopsPerSecond($1.arithmetic).median }
            return seconds > 0 ? atPeak / seconds : 0
        }
        shareOfBandwidth = ceilings.map { [bytesPerSecond] in bytesPerSecond / $0.bytesPerSecond }
    }
}
