import HearthCompute

extension CrossEntropy {
    static func encodeVulkan(
        _ x: Tensor, _ targets: Tensor, _ options: Options, _ logProbabilities: Tensor, _ loss: Tensor,
        _ encoder: inout CommandEncoder
    ) throws(DeviceError) {
        let (rows, classes) = (x.shape[0], x.shape[1])
        if x.elementCount > 0 { try Softmax.encodeVulkan(x, true, logProbabilities, &encoder) }
        let reduction: UInt32 =
            switch options.reduction {
            case .none: 0
            case .sum: 1
            case .mean: 2
            }
        let ignored = options.ignoredTarget
        try encoder.dispatch(
            "cross_entropy", reads: [logProbabilities, targets, options.weight ?? logProbabilities], writes: [loss],
            push: [
                UInt32(rows), UInt32(classes), options.weight == nil ? 0 : 1, ignored == nil ? 0 : 1,
                UInt32(bitPattern: ignored ?? 0), reduction,
            ], groups: (1, 1, 1))
        encoder.note("cross_entropy", cost(rows: rows, classes: classes))
    }
}
