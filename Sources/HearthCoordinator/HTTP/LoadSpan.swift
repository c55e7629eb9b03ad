import Foundation
import HearthFleet
import Hummingbird

/// Up to now, for how long: what a request for loads asks for.
struct LoadSpan: Equatable {
    let hours: Double
    /// About as many as a chart can show.
    private static let pieces = 300.0

    /// - Parameter text: hours; nil: a day.
    /// - Throws: 400.
    init(_ text: String?) throws {
        guard let hours = text.map({ Double($0) }) ?? 24, (0.1...87600).contains(hours) else {
            throw HTTPError(.badRequest, message: "hours: a number, 0.1 to 87600")
        }
        self.hours = hours
    }

    var seconds: Double { hours * 3600 }
    /// Of one piece.
    var width: Double { seconds / Self.pieces }
}

extension CoordinatorStore {
    func loads(of node: String, over span: LoadSpan) async throws -> [LoadSample] {
        try await loads(of: node, since: Self.now() - span.seconds, everySeconds: span.width)
    }
}
