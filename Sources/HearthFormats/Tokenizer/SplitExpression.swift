/// A regular expression of a tokenizer.json, by Swift's engine: for those that `PreTokenizer.Stage` has no code for.
///
/// `@unchecked Sendable`: nothing changes after `init`, and the expression holds no code of ours.
final class SplitExpression: @unchecked Sendable {
    private let regex: Regex<AnyRegexOutput>

    /// - Throws: what is wrong with `pattern`.
    init(_ pattern: String) throws { regex = try Regex(pattern).matchingSemantics(.unicodeScalar) }

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
        for match in text.matches(of: regex) {
            take(to: match.range.lowerBound)
            take(to: match.range.upperBound)
        }
        take(to: view.endIndex)
        return pieces
    }
}
