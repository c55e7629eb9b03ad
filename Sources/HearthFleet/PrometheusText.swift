/// Prometheus' text exposition format, version 0.0.4.
public struct PrometheusText {
    public enum Kind: String { case gauge, counter }
    public private(set) var text = ""

    public init() {}

    /// One metric family with its samples. - Precondition: the name is a metric name with its base unit.
    public mutating func add(
        _ name: String, _ kind: Kind, help: String, _ samples: [(labels: [(String, String)], value: Double)]
    ) {
        if samples.isEmpty { return }
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        for sample in samples {
            let labels = sample.labels.map { "\($0.0)=\"\(Self.escape($0.1))\"" }.joined(separator: ",")
            text += labels.isEmpty ? "\(name) \(sample.value)\n" : "\(name){\(labels)} \(sample.value)\n"
        }
    }

    /// A histogram: counts of each bucket on its own, the last one beyond all bounds.
    public mutating func add(_ name: String, histogram bounds: [Double], _ counts: [Int], sum: Double, help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) histogram\n"
        var total = 0
        for (count, bound) in zip(counts, bounds.map { "\($0)" } + ["+Inf"]) {
            total += count
            text += "\(name)_bucket{le=\"\(bound)\"} \(total)\n"
        }
        text += "\(name)_sum \(sum)\n\(name)_count \(total)\n"
    }

    static func escape(_ value: String) -> String {
        var out = ""
        for character in value {
            switch character {
            case "\\": out += "\\\\"
            case "\"": out += "\\\""
            case "\n": out += "\\n"
            default: out.append(character)
            }
        }
        return out
    }
}
