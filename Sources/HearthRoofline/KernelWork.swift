/// Launches of one kernel at one size: what a job computes, as its prediction sums it up.
public struct KernelWork: Sendable, Hashable, Codable {
    /// A name under which times are comparable, for example `gemm.f32`.
    public var kernel: String
    /// Of one launch. Zero for what takes time without computing, such as a job's start.
    public var cost: Cost
    /// Whose ceiling its FLOPs are held against.
    public var arithmetic: Arithmetic
    public var launches: Int

    public init(_ kernel: String, _ cost: Cost, _ arithmetic: Arithmetic = .f32, launches: Int = 1) {
        (self.kernel, self.cost, self.arithmetic, self.launches) = (kernel, cost, arithmetic, launches)
    }

    /// What is wrong with the values; nil when nothing is.
    public var problem: String? {
        if kernel.isEmpty || kernel.utf8.count > 80 { return "a kernel's name has 1 to 80 bytes" }
        if !(1...1 << 40).contains(launches) { return "\(kernel): launches are 1 to 2^40" }
        let figures = [cost.flops, cost.bytesRead, cost.bytesWritten]
        return figures.allSatisfy { $0 >= 0 && $0 <= 1e24 } ? nil : "\(kernel): costs are 0 to 1e24"
    }
}

/// How long launches took on a device.
public struct KernelTime: Sendable, Hashable, Codable {
    public var work: KernelWork
    /// Of all its launches.
    public var seconds: Double

    public init(_ work: KernelWork, seconds: Double) { (self.work, self.seconds) = (work, seconds) }
}
