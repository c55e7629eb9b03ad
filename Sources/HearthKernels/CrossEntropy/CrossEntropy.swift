import HearthCompute
import HearthRoofline

/// Cross-entropy of logits with class targets: `loss[r] = -weight[t_r] * log_softmax(x[r])[t_r]`.
///
/// - Shapes: x `[r, classes]` f32, targets `[r]` i32, weight `[classes]` f32 or none, logProbabilities `[r, classes]` f32, loss
///   `[r]` f32 for `.none`, else `[1]`. A row whose target is `ignoredTarget` has loss 0 and counts for nothing.
/// - Reduction: none, the sum, or the mean weighted by the rows' weights (0 / 0 is NaN, as in other libraries).
/// - Errors: `invalid` when shapes do not fit, or (CPU) a target is no class; on Vulkan such a row's loss is NaN.
/// - Cost: 12 FLOPs a logit; x read once, log-probabilities written once.
public enum CrossEntropy {
    public enum Reduction: Sendable { case none, sum, mean }

    public struct Options: Sendable {
        public var weight: Tensor?
        public var ignoredTarget: Int32?
        public var reduction: Reduction

        public init(weight: Tensor? = nil, ignoredTarget: Int32? = nil, reduction: Reduction = .mean) {
            (self.weight, self.ignoredTarget, self.reduction) = (weight, ignoredTarget, reduction)
        }
    }

    public static func encode(
        _ x: Tensor, targets: Tensor, _ options: Options = Options(), logProbabilities: Tensor, into loss: Tensor,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        try require(x.shape.count == 2, "CrossEntropy", "x is \(x.shape), expected rows of logits")
        let (rows, classes) = (x.shape[0], x.shape[1])
        try require(
            targets.shape == [rows] && targets.dtype == .i32, "CrossEntropy", "targets are not [\(rows)] of i32")
        try require(
            logProbabilities.shape == x.shape, "CrossEntropy", "log-probabilities are \(logProbabilities.shape)")
        let lossShape = options.reduction == .none ? [rows] : [1]
        try require(loss.shape == lossShape, "CrossEntropy", "loss is \(loss.shape), expected \(lossShape)")
        try require(
            (options.weight?.shape ?? [classes]) == [classes], "CrossEntropy", "weight is not [\(classes)]")
        let floats = [x, logProbabilities, loss] + [options.weight].compactMap { $0 }
        try require(
            floats.allSatisfy { $0.dtype == .f32 && $0.isContiguous } && targets.isContiguous, "CrossEntropy",
            "tensors are plain f32")
        guard case .cpu(let cpu) = encoder.device.backend else {
            return try encodeVulkan(x, targets, options, logProbabilities, loss, &encoder)
        }
        let ids = targets.hostPointer(as: Int32.self)
        for r in 0..<rows where ids[r] != options.ignoredTarget {
            try require((0..<classes).contains(Int(ids[r])), "CrossEntropy", "target \(ids[r]) of row \(r) is no class")
        }
        if classes > 0 { Softmax.runCPU(x, true, logProbabilities, cpu) }
        runCPU(targets, options, logProbabilities, loss)
        encoder.note("cross_entropy", cost(rows: rows, classes: classes))
    }
}
