/// The rules of JSON itself, as a model writes it: space only where it helps to read, numbers that a Double holds.
enum JSONRules {
    static let hexadecimal = Expression.scalar(ScalarSet([0x30...0x39, 0x41...0x46, 0x61...0x66]))
    static let digit = Expression.scalar(ScalarSet([0x30...0x39]))
    /// What a string holds unescaped.
    static let plain = ScalarSet([0x20...0x21, 0x23...0x5B, 0x5D...0x7E, 0x80...0x10FFFF])

    static let space = Expression.rule("space")
    static let character = Expression.rule("character")
    static let string = Expression.rule("string")
    static let value = Expression.rule("value")
    static let object = Expression.rule("object")
    static let array = Expression.rule("array")
    static let integer = Expression.rule("integer")
    static let number = Expression.rule("number")
    static let boolean = Expression.rule("boolean")
    static let null = Expression.text("null")

    static var rules: [(name: String, expression: Expression)] {
        [
            ("space", .choice([.empty, .text(" "), .sequence([.text("\n"), blanks])])),
            ("character", .choice([.scalar(plain), .sequence([.text("\\"), escape])])),
            ("string", quoted(.many(character))),
            ("integer", .sequence([.optional(.text("-")), natural])),
            ("number", .sequence([integer, .optional(fraction), .optional(exponent)])),
            ("boolean", .choice([.text("true"), .text("false")])),
            ("array", list(item: value, 0, nil)),
            ("object", braces([member(string, value), .many(.sequence([comma, member(string, value)]))])),
            ("value", .choice([object, array, string, number, boolean, null])),
        ]
    }

    private static let blanks = Expression.repetition(.scalar(ScalarSet(" \t")), min: 0, max: 20)
    /// At most sixteen digits.
    private static let natural = Expression.choice([
        .text("0"), .sequence([.scalar(ScalarSet([0x31...0x39])), .repetition(digit, min: 0, max: 15)]),
    ])
    private static let fraction = Expression.sequence([.text("."), .repetition(digit, min: 1, max: 16)])
    private static let exponent = Expression.sequence([
        .scalar(ScalarSet("eE")), .optional(.scalar(ScalarSet("+-"))),
        // At most 289: sixteen digits before it, and a Double holds the number.
        .choice([
            .repetition(digit, min: 1, max: 2), .sequence([.text("1"), digit, digit]),
            .sequence([.text("2"), .scalar(ScalarSet([0x30...0x38])), digit]),
        ]),
    ])

    /// After a backslash: a short escape, four hexadecimal digits of no surrogate, or a pair of surrogates.
    private static let escape: Expression = {
        func hex(_ count: Int) -> Expression { .repetition(hexadecimal, min: count, max: count) }
        let d = Expression.scalar(ScalarSet("dD"))
        let noSurrogate = Expression.choice([
            .sequence([.scalar(ScalarSet([0x30...0x39, 0x41...0x43, 0x45...0x46, 0x61...0x63, 0x65...0x66])), hex(3)]),
            .sequence([d, .scalar(ScalarSet([0x30...0x37])), hex(2)]),
        ])
        let pair = Expression.sequence([
            d, .scalar(ScalarSet("89abAB")), hex(2), .text("\\u"), d, .scalar(ScalarSet("cdefCDEF")), hex(2),
        ])
        return .choice([
            .scalar(ScalarSet("\"\\/bfnrt")), .sequence([.text("u"), .choice([noSurrogate, pair])]),
        ])
    }()

    static let comma = Expression.sequence([.text(","), space])

    static func quoted(_ inner: Expression) -> Expression { .sequence([.text("\""), inner, .text("\"")]) }

    static func member(_ key: Expression, _ value: Expression) -> Expression {
        .sequence([key, .text(":"), space, value])
    }

    /// Braces round members, or round nothing.
    static func braces(_ members: [Expression]) -> Expression {
        .sequence([.text("{"), space, .optional(.sequence(members + [space])), .text("}")])
    }

    /// `low` items at least, `high` at most.
    static func list(item: Expression, _ low: Int, _ high: Int?) -> Expression {
        if high == 0 { return .sequence([.text("["), space, .text("]")]) }
        let more = Expression.repetition(.sequence([comma, item]), min: max(low - 1, 0), max: high.map { $0 - 1 })
        let items = Expression.sequence([item, more, space])
        return .sequence([.text("["), space, low == 0 ? .optional(items) : items, .text("]")])
    }
}
