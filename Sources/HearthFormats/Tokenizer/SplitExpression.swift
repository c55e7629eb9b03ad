import Foundation

/// A regular expression of a tokenizer.json, by Swift's engine: for those that `PreTokenizer.Stage` has no code for.
///
/// `@unchecked Sendable`: nothing changes after `init`, and the expression holds no code of ours.
final class SplitExpression: @unchecked Sendable {
    private let regex: Regex<AnyRegexOutput>
    /// What no match covers is left out.
    private let dropsGaps: Bool

    struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    /// - Throws: what is wrong with `pattern`, or what the engine would end the program for instead of saying so.
    init(_ pattern: String, dropsGaps: Bool = false) throws {
        if pattern.utf8.count > 4096 { throw Problem(description: "it is longer than 4096 bytes") }
        var (depth, deepest) = (0, 0)
        for scalar in pattern.unicodeScalars {
            depth += scalar == "(" || scalar == "[" ? 1 : scalar == ")" || scalar == "]" ? -1 : 0
            deepest = max(deepest, depth)
        }
        if deepest > 64 { throw Problem(description: "it is nested more than 64 deep") }
        guard
            Self.expanded(pattern).unicodeScalars.allSatisfy({ scalar in
                Array(String(scalar).precomposedStringWithCanonicalMapping.unicodeScalars) == [scalar]
            })
        else { throw Problem(description: "it has characters that have another canonical form") }
        regex = try Regex(pattern).matchingSemantics(.unicodeScalar)
        self.dropsGaps = dropsGaps
    }

    /// With the characters that `\\uHHHH` and `\\u{H}` and the like stand for.
    private static func expanded(_ pattern: String) -> String {
        var out = pattern
        for match in pattern.matches(of: /\\[uUx]\{?([0-9A-Fa-f]{2,8})/) {
            if let scalar = UInt32(match.output.1, radix: 16).flatMap({ Unicode.Scalar($0) }) {
                out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    /// Matches and what lies between them.
    func pieces(of scalars: ArraySlice<Unicode.Scalar>) -> [ArraySlice<Unicode.Scalar>] {
        let text = String(scalars: scalars)
        let view = text.unicodeScalars
        var pieces: [ArraySlice<Unicode.Scalar>] = []
        var (place, index) = (view.startIndex, scalars.startIndex)
        func take(to end: String.Index) {
            let next = index + view.distance(from: place, to: end)
            if next > index { pieces.append(scalars[index..<next]) }
            (place, index) = (end, next)
        }
        func skip(to end: String.Index) { (place, index) = (end, index + view.distance(from: place, to: end)) }
        for match in text.matches(of: regex) {
            if dropsGaps { skip(to: match.range.lowerBound) } else { take(to: match.range.lowerBound) }
            take(to: match.range.upperBound)
        }
        if !dropsGaps { take(to: view.endIndex) }
        return pieces
    }
}
