import Foundation

/// Two runs of `hearth bench` against each other, kernel by kernel, with their noise taken into account.
public struct BenchComparison {
    public enum Verdict: String, Sendable { case faster, slower, same }

    public struct Row: Sendable {
        public let kernel: String
        public let shape: String
        /// Medians in seconds.
        public let before: Double
        public let after: Double
        public let verdict: Verdict
        /// after / before: above 1 is slower.
        public var ratio: Double { after / before }
    }

    public let rows: [Row]
    /// Kernels that only one of the runs has.
    public let unmatched: [String]

    /// A difference counts when the two interquartile ranges do not overlap.
    public init(before: [KernelBench.Result], after: [KernelBench.Result]) {
        func key(_ result: KernelBench.Result) -> String {
            [result.device, result.kernel, result.shape, result.threads.map { "t\($0)" }, result.cache]
                .compactMap(\.self).joined(separator: " ")
        }
        let old = Dictionary(before.map { (key($0), $0) }, uniquingKeysWith: { $1 })
        let new = Dictionary(after.map { (key($0), $0) }, uniquingKeysWith: { $1 })
        rows = after.compactMap { result in
            guard let first = old[key(result)] else { return nil }
            let verdict: Verdict =
                result.seconds.lowerQuartile > first.seconds.upperQuartile
                ? .slower : result.seconds.upperQuartile < first.seconds.lowerQuartile ? .faster : .same
            return Row(
                kernel: result.kernel, shape: result.shape, before: first.seconds.median,
                after: result.seconds.median, verdict: verdict)
        }
        unmatched = Set(old.keys).symmetricDifference(new.keys).sorted()
    }

    /// Kernels that became slower by more than `threshold` (0.05: five per cent).
    public func regressions(beyond threshold: Double) -> [Row] {
        rows.filter { $0.verdict == .slower && $0.ratio > 1 + threshold }
    }

    /// Reads what `hearth bench --format jsonl` wrote. - Throws: the line that is no result.
    public static func read(_ text: String) throws(MalformedLine) -> [KernelBench.Result] {
        var results: [KernelBench.Result] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
        where !line.isEmpty {
            guard let result = try? JSONDecoder().decode(KernelBench.Result.self, from: Data(line.utf8)) else {
                throw MalformedLine(number: index + 1)
            }
            results.append(result)
        }
        return results
    }

    public struct MalformedLine: Error {
        public let number: Int
    }
}
