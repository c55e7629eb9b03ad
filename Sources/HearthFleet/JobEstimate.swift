import HearthRoofline

/// What a job will compute, as far as its submitter can tell: the input of predictions.
public struct JobEstimate: Sendable, Hashable, Codable {
    public var kernels: [KernelWork]
    /// Of the device, that it needs at least: one with less is not asked. nil where nobody knows.
    public var memoryByteCount: Double?

    public init(kernels: [KernelWork], memoryByteCount: Double? = nil) {
        (self.kernels, self.memoryByteCount) = (kernels, memoryByteCount)
    }

    /// What is wrong with the values; nil when nothing is.
    var problem: String? {
        if kernels.isEmpty || kernels.count > 1000 { return "estimate: 1 to 1000 kernels" }
        if let memoryByteCount, !(memoryByteCount >= 0 && memoryByteCount <= 1e18) {
            return "estimate: memoryByteCount is 0 to 1e18"
        }
        return kernels.lazy.compactMap(\.problem).first.map { "estimate: \($0)" }
    }

    /// The time between a job's start and its first kernel, and what else is not a kernel.
    public static func start(of kind: JobSpec.Kind) -> KernelWork { KernelWork("start.\(kind.rawValue)", .zero) }
}
