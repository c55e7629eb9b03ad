/// What an operator lets each job of a node have at most, whatever its spec asks for; nil: as much as it asks.
public struct JobLimits: Sendable, Hashable {
    public var memoryGibibytes, cpus, timeoutSeconds: Double?

    /// What each can be, here and in a spec.
    static let (memoryRange, cpuRange, timeoutRange) = (0.0625...1_048_576.0, 0.1...65536.0, 1.0...2_592_000.0)

    public init(memoryGibibytes: Double? = nil, cpus: Double? = nil, timeoutSeconds: Double? = nil) {
        (self.memoryGibibytes, self.cpus, self.timeoutSeconds) = (memoryGibibytes, cpus, timeoutSeconds)
    }

    /// Whether the kernel has to hold jobs to them, in control groups.
    public var needsGroups: Bool { memoryGibibytes != nil || cpus != nil }

    /// `spec`, asking for no more.
    public func holding(_ spec: JobSpec) -> JobSpec {
        var held = spec
        held.memoryGibibytes = [memoryGibibytes, spec.memoryGibibytes].compactMap(\.self).min()
        held.cpus = [cpus, spec.cpus].compactMap(\.self).min()
        held.timeoutSeconds = min(timeoutSeconds ?? .infinity, spec.timeoutSeconds)
        return held
    }
}
