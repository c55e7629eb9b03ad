/// Why a grammar or a schema cannot constrain an answer, and where.
public struct GrammarError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }

    init(line: Int, _ problem: String) { description = "line \(line): \(problem)" }
}
