import HearthCompute

/// What is timed in place of a workload's own shapes and types, and how.
public struct BenchSelection: Sendable {
    /// Sizes in a workload's letters, such as `[512, 2048, 2048]` of gemm; nil: the workload's own.
    public var shapes: [[Int]]?
    public var dtypes: [DType]?
    /// Operands are driven out of the caches before every sample. CPU only.
    public var isCold = false

    public init() {}

    /// How each workload's shapes are written.
    static let letters: [String: String] = [
        "gemm": "MxNxK", "quant": "MxNxK", "gemv": "NxK", "attention": "TQxTKxHQ/HKVxD", "norm": "ROWSxN",
        "memory": "MIB",
    ]

    public struct MalformedShape: Error, CustomStringConvertible {
        public let description: String
    }

    /// Numbers of a shape of `workload`. - Throws: what was expected.
    public static func parse(_ text: String, workload: String) throws(MalformedShape) -> [Int] {
        guard let letters = letters[workload] else { throw MalformedShape(description: "no workload '\(workload)'") }
        let isNumber = { (part: Substring) in Int(part).map { $0 > 0 && $0 <= 1 << 24 } ?? false }
        let parts = text.split(separator: "x", omittingEmptySubsequences: false)
            .flatMap { $0.split(separator: "/", omittingEmptySubsequences: false) }
        let pattern = { (text: String) in text.filter { $0 == "x" || $0 == "/" } }
        guard parts.allSatisfy(isNumber), pattern(text) == pattern(letters) else {
            throw MalformedShape(description: "shape '\(text)': \(workload) takes \(letters), all numbers from 1 on")
        }
        let numbers = parts.compactMap { Int($0) }
        if workload == "attention", numbers[2] % numbers[3] != 0 || numbers[4] > 512 {
            throw MalformedShape(
                description:
                    "shape '\(text)': \(numbers[3]) KV heads divide \(numbers[2]) query heads; D is at most 512")
        }
        return numbers
    }
}
