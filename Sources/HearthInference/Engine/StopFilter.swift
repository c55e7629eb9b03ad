/// Passes text on up to the first stop string, holding back what may turn out to begin one. Compares bytes, so that it does not
/// matter how text is cut into tokens.
package struct StopFilter {
    private let stops: [[UInt8]]
    private var held: [UInt8] = []

    package init(_ stops: [String]) { self.stops = stops.filter { !$0.isEmpty }.map { Array($0.utf8) } }

    /// What of the text so far is sure to come before any stop string, and whether one has come.
    package mutating func append(_ piece: String) -> (text: String, isStopped: Bool) {
        if stops.isEmpty { return (piece, false) }
        held += Array(piece.utf8)
        // The first place where a stop begins, or may yet: what is held ends before the stop does.
        for start in held.indices {
            let rest = held[start...]
            if stops.contains(where: { rest.starts(with: $0) }) {
                defer { held = [] }
                return (String(decoding: held[..<start], as: UTF8.self), true)
            }
            if stops.contains(where: { $0.count > rest.count && $0.starts(with: rest) }) {
                defer { held.removeFirst(start) }
                return (String(decoding: held[..<start], as: UTF8.self), false)
            }
        }
        return (finish(), false)
    }

    /// The rest, when nothing follows.
    package mutating func finish() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }
}
