/// What a kernel must do, from its shapes alone: the modelled side of every figure Hearth reports.
///
/// `bytesRead` and `bytesWritten` count each operand once (compulsory traffic); caches can only do better than a
/// kernel that reads more, never better than this.
public struct Cost: Sendable, Hashable, Codable {
    /// Floating-point operations; a multiply-add counts as two.
    public var flops: Double
    public var bytesRead: Double
    public var bytesWritten: Double

    public init(flops: Double = 0, bytesRead: Double = 0, bytesWritten: Double = 0) {
        self.flops = flops
        self.bytesRead = bytesRead
        self.bytesWritten = bytesWritten
    }

    public static let zero = Cost()

    public var byteCount: Double { bytesRead + bytesWritten }

    /// FLOPs a byte of compulsory traffic.
    public var arithmeticIntensity: Double { byteCount > 0 ? flops / byteCount : .infinity }

    public static func + (a: Cost, b: Cost) -> Cost {
        Cost(
            flops: a.flops + b.flops, bytesRead: a.bytesRead + b.bytesRead,
            bytesWritten: a.bytesWritten + b.bytesWritten)
    }

    public static func += (a: inout Cost, b: Cost) { a = a + b }

    public static func * (a: Cost, count: Double) -> Cost {
        Cost(flops: a.flops * count, bytesRead: a.bytesRead * count, bytesWritten: a.bytesWritten * count)
    }
}

/// The cost of one kernel launch, with its name: what a job's prediction is summed over.
public struct KernelCost: Sendable, Hashable, Codable {
    public var kernel: String
    public var cost: Cost
    /// Whose ceiling its FLOPs are held against.
    public var arithmetic: Arithmetic

    public init(kernel: String, cost: Cost, arithmetic: Arithmetic = .f32) {
        self.kernel = kernel
        self.cost = cost
        self.arithmetic = arithmetic
    }
}
