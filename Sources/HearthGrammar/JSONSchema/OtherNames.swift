/// Names that are none of those given.
enum OtherNames {
    private static let maximumLength = 128

    static func expression(_ names: [String], _ path: String) throws(GrammarError) -> Expression {
        if let name = names.first(where: { $0.unicodeScalars.count > maximumLength }) {
            throw GrammarError(
                "\(path): additionalProperties beside a name of more than \(maximumLength) characters, '\(name.prefix(20))...'"
            )
        }
        // Other names are written without escapes, so that names which need some are none of them.
        let plain = names.map { $0.unicodeScalars.map(\.value) }.filter { $0.allSatisfy(JSONRules.plain.contains) }
        return JSONRules.quoted(rest(plain.map { $0[...] }))
    }

    /// What may follow a beginning that `names` go on from.
    private static func rest(_ names: [ArraySlice<UInt32>]) -> Expression {
        let groups = Dictionary(grouping: names.filter { !$0.isEmpty }, by: { $0.first! }).sorted { $0.key < $1.key }
        let others = JSONRules.plain.subtracting(ScalarSet(groups.map { $0.key...$0.key }))
        var choices = [Expression.sequence([.scalar(others), .many(.scalar(JSONRules.plain))])]
        for (scalar, group) in groups {
            choices.append(.sequence([.scalar(ScalarSet([scalar...scalar])), rest(group.map { $0.dropFirst() })]))
        }
        if !names.contains(where: \.isEmpty) { choices.append(.empty) }
        return .choice(choices)
    }
}
