extension CrossEntropy {
    package static func reference(
        _ x: [Float], classes: Int, targets: [Int32], weight: [Float]?, ignoredTarget: Int32?, reduction: Reduction
    ) -> (loss: [Double], logProbabilities: [Double]) {
        let logs = Softmax.reference(x, n: classes, isLog: true)
        let weights = targets.map { $0 == ignoredTarget ? 0 : Double(weight?[Int($0)] ?? 1) }
        let losses = targets.indices.map { r in
            targets[r] == ignoredTarget ? 0 : -weights[r] * logs[r * classes + Int(targets[r])]
        }
        switch reduction {
        case .none: return (losses, logs)
        case .sum: return ([losses.reduce(0, +)], logs)
        case .mean: return ([losses.reduce(0, +) / weights.reduce(0, +)], logs)
        }
    }
}
