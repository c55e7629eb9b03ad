import Foundation

/// Passes text on up to the first stop string, holding back what may turn out to begin one.
package struct StopFilter {
    private let stops: [String]
    private var held = ""

    package init(_ stops: [String]) { self.stops = stops.filter { !$0.isEmpty } }

    /// What of the text so far is sure to come before any stop string, and whether one has come.
    package mutating func append(_ piece: String) -> (text: String, isStopped: Bool) {
        if stops.isEmpty { return (piece, false) }
        held += piece
        if let first = stops.compactMap({ held.range(of: $0)?.lowerBound }).min() {
            let text = String(held[..<first])
            held = ""
            return (text, true)
        }
        let waiting = stops.map { stop in
            (0..<stop.count).reversed().first { held.hasSuffix(stop.prefix($0)) } ?? 0
        }.max()!
        let text = String(held.dropLast(waiting))
        held = String(held.suffix(waiting))
        return (text, false)
    }

    /// The rest, when nothing follows.
    package mutating func finish() -> String {
        defer { held = "" }
        return held
    }
}
