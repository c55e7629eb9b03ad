import HearthCompute

extension CrossEntropy {
    static func runCPU(_ targets: Tensor, _ options: Options, _ logProbabilities: Tensor, _ loss: Tensor) {
        let (rows, classes) = (logProbabilities.shape[0], logProbabilities.shape[1])
        let (ids, logs) = (targets.hostPointer(as: Int32.self), logProbabilities.hostPointer(as: Float.self))
        let weights = options.weight?.hostPointer(as: Float.self)
        let out = loss.hostPointer(as: Float.self)
        var (sum, total) = (0.0, 0.0)
        for r in 0..<rows {
            let target = Int(ids[r])
            let isIgnored = ids[r] == options.ignoredTarget
            let weight: Float = isIgnored ? 0 : weights?[target] ?? 1
            let value = isIgnored ? 0 : -weight * logs[r * classes + target]
            if options.reduction == .none { out[r] = value }
            sum += Double(value)
            total += Double(weight)
        }
        if options.reduction == .sum { out[0] = Float(sum) }
        if options.reduction == .mean { out[0] = Float(sum / total) }
    }
}
