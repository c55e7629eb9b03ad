import Foundation
import HearthGrammar
import HearthJSON
import Support
import Testing

/// A vocabulary of the scalars that a test needs: tokens below `first` are no text, as llama.cpp's tests name them.
private struct ScalarVocabulary {
    static let first: Int32 = 100
    static let end: Int32 = 99
    let trie: TokenTrie
    private let ids: [Unicode.Scalar: Int32]

    init(_ texts: [String]) {
        let scalars = Set(texts.flatMap(\.unicodeScalars)).sorted()
        ids = Dictionary(uniqueKeysWithValues: zip(scalars, Self.first...))
        trie = TokenTrie(Array(repeating: [], count: Int(Self.first)) + scalars.map { Array(String($0).utf8) })
    }

    func tokens(_ text: String) -> [Int32] { text.unicodeScalars.map { ids[$0]! } }
}

/// Reads `tokens`; at every step the mask must say of every token what `allows` says of it.
private func matches(_ tokens: [Int32], _ grammar: Grammar, _ trie: TokenTrie) -> Bool {
    let matcher = GrammarMatcher(grammar, trie, ends: [ScalarVocabulary.end])
    for token in tokens {
        let mask = matcher.mask()
        let wrong = (0..<Int32(trie.vocabularySize)).filter { mask.contains($0) != matcher.allows($0) }
        #expect(wrong.isEmpty, "mask and allows differ for \(wrong)")
        guard matcher.allows(token) else { return false }
        matcher.advance(token)
    }
    #expect(matcher.allows(ScalarVocabulary.end) == matcher.isComplete)
    return matcher.isComplete
}

/// The cases of llama.cpp's own tests, and its grammar files.
@Suite(.enabled(if: TestPaths.vocabularies != nil, "scripts/fetch-vectors could not fetch llama.cpp's cases"))
struct LlamaCppGrammarTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let isSchema: Bool
        let text: String
        let pass, fail: [[Part]]
        var testDescription: String { name }
    }
    enum Part: Sendable {
        case text(String)
        case token(Int32)
    }

    static var document: [String: Any] {
        guard let folder = TestPaths.vocabularies,
            let data = FileManager.default.contents(atPath: folder + "/grammars.json"),
            let value = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
        else { return [:] }
        return value
    }

    static var cases: [Case] {
        (document["cases"] as? [[String: Any]] ?? []).map { entry in
            func parts(_ key: String) -> [[Part]] {
                (entry[key] as! [[Any]]).map { list in
                    list.map { ($0 as? String).map(Part.text) ?? .token(($0 as! NSNumber).int32Value) }
                }
            }
            let schema = entry["schema"] as? String
            return Case(
                name: entry["name"] as! String, isSchema: schema != nil, text: schema ?? entry["grammar"] as! String,
                pass: parts("pass"), fail: parts("fail"))
        }
    }

    @Test func allCasesAreThere() { #expect(Self.cases.count >= 55) }

    @Test(arguments: cases)
    func acceptsAndRefuses(example: Case) throws {
        let grammar =
            example.isSchema
            ? try Grammar(jsonSchema: try JSONValue(example.text.utf8)) : try Grammar(gbnf: example.text)
        let texts = (example.pass + example.fail).flatMap { $0 }.map {
            if case .text(let text) = $0 { text } else { "" }
        }
        let vocabulary = ScalarVocabulary(texts + ["x\"{}[]:,0 "])
        func tokens(_ parts: [Part]) -> [Int32] {
            parts.flatMap { part in
                switch part {
                case .text(let text): vocabulary.tokens(text)
                case .token(let id): [id]
                }
            }
        }
        for parts in example.pass { #expect(matches(tokens(parts), grammar, vocabulary.trie), "\(parts)") }
        for parts in example.fail { #expect(!matches(tokens(parts), grammar, vocabulary.trie), "\(parts)") }
    }

    @Test func refusesWhatLlamaCppRefuses() {
        let refused = Self.document["refused"] as? [String] ?? []
        #expect(refused.count == 6)
        for text in refused { #expect(throws: GrammarError.self, "\(text)") { try Grammar(gbnf: text) } }
    }
}

@Suite struct GrammarTests {
    private func accepts(_ grammar: Grammar, _ text: String) -> Bool {
        let vocabulary = ScalarVocabulary([text])
        return matches(vocabulary.tokens(text), grammar, vocabulary.trie)
    }

    @Test(arguments: [
        ("root ::= \"a", "line 1: a literal has no end"), ("root ::= [a", "line 1: a class has no end"),
        ("root ::= (\"a\"", "line 1: expected ')', found the end"), ("root ::= x", "there is no rule 'x'"),
        ("root ::= \"a\"\n\nroot ::= \"b\"", "line 3: rule 'root' is defined twice"),
        ("root ::= \"\\q\"", "line 1: unknown escape '\\q'"), ("root = \"a\"", "line 1: expected '::=', found '='"),
        ("root ::= \"a\"{3,2}", "line 1: a repetition of 3 to 2 times"), ("", "there is no rule 'root'"),
        ("root ::= \"a\"{999999}", "a repetition of more than 131072 times"),
        ("root ::= ((\"a\"{70000}){70000}){9}", "more than 131072 symbols"),
        ("root ::= \"a\"" + String(repeating: "*", count: 200_000), "more than 4 quantifiers"),
        ("root ::= " + String(repeating: "()", count: 200_000), "more than 131072 symbols"),
        ("root ::= <think>", "line 1: <think> is no token of this model"),
        ("root ::= root \"a\" | \"b\"", "rule 'root' begins with itself"),
        (String(repeating: "(", count: 500), "expected a rule's name"),
        ("root ::= " + String(repeating: "(", count: 500), "nested more than 64 deep"),
    ])
    func errorsSayWhatAndWhere(text: String, problem: String) {
        let error = #expect(throws: GrammarError.self) { try Grammar(gbnf: text) }
        #expect(error?.description.contains(problem) == true, "\(String(describing: error))")
    }

    @Test(arguments: [
        (#"{"type": "objct"}"#, "#: type 'objct' is none"), (##"{"$ref": "#/$defs/x"}"##, "points to nothing"),
        (#"{"properties": {"a": {"not": {}}}}"#, "#/properties/a: 'not' is not supported"),
        (#"{"type": "integer", "minimum": 5, "maximum": 4}"#, "no whole number"),
        (#"{"pattern": "a(?=b)"}"#, "#: pattern, character 4: groups of this kind"),
        (#"{"minLength": 3, "maxLength": 2}"#, "maxLength 2 is less than minLength 3"),
        (#"{"allOf": [{"type": "string"}, {"type": "null"}]}"#, "two different values of 'type'"),
        (#"{"type": "string", "maxLength": 1000000}"#, "more than 131072"), ("3", "a schema is an object"),
        ("false", "nothing is valid"), (#"{"const": 1, "minimum": 0}"#, "'minimum' beside 'const'"),
        (#"{"prefixItems": [{}], "items": false, "minItems": 2}"#, "minItems 2 is more than the 1 items"),
        (#"{"pattern": "\\ud83d\\ude00"}"#, "surrogates"),
        // Two that merge into each other for ever, and chains that double at each link.
        (
            ##"{"$defs":{"A":{"properties":{"a":{"$ref":"#/$defs/A"}}},"B":{"properties":{"a":{"$ref":"#/$defs/B"}}}},"allOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/B"}]}"##,
            "nested more than 64 deep"
        ),
        (
            "{\"$defs\":{"
                + (0..<40).map { n in
                    ["A", "B"].map {
                        "\"\($0)\(n)\":{\"properties\":{\"a\":{\"$ref\":\"#/$defs/\($0)\(n + 1)\"},\"b\":{\"$ref\":\"#/$defs/\($0)\(n + 1)\"}}}"
                    }
                    .joined(separator: ",")
                }.joined(separator: ",")
                + ",\"A40\":{},\"B40\":{}},\"allOf\":[{\"$ref\":\"#/$defs/A0\"},{\"$ref\":\"#/$defs/B0\"}]}",
            "come to too much"
        ),
        (
            "{\"$defs\":{\"e\":{\"const\":\"" + String(repeating: "x", count: 9999) + "\"}},\"anyOf\":["
                + Array(repeating: "{\"title\":\"\",\"$ref\":\"#/$defs/e\",\"type\":\"string\"}", count: 99).joined(
                    separator: ",") + "]}", "come to too much"
        ),
    ])
    func schemaErrorsSayWhatAndWhere(schema: String, problem: String) {
        let error = #expect(throws: GrammarError.self) { try Grammar(jsonSchema: try JSONValue(schema.utf8)) }
        #expect(error?.description.contains(problem) == true, "\(String(describing: error))")
    }

    @Test(arguments: ["{", "[1,]", "\"a", "{\"a\" 1}", "01x", "nul", "[1] 2", "\"\\ud800\"", "", "\u{1}"])
    func malformedJSONIsRefused(text: String) {
        #expect(throws: JSONError.self) { try JSONValue(text.utf8) }
    }

    @Test func objectsKeepTheirOrder() throws {
        let text = #"{"b":1.50,"a":{"z":null,"y":[true,"\"\n"]}}"#
        #expect(try JSONValue(text.utf8).text == text)
    }

    /// A tree that holds trees, through `$ref`, and `anyOf` beside what all alternatives share.
    @Test func referencesMayComeBack() throws {
        let schema = try JSONValue(
            #"""
            {"$defs": {"node": {"type": "object", "properties": {"v": {"type": "integer"},
              "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}, "required": ["v", "next"]}},
             "$ref": "#/$defs/node"}
            """#.utf8)
        let grammar = try Grammar(jsonSchema: schema)
        #expect(accepts(grammar, #"{"v":1,"next":{"v":2,"next":null}}"#))
        #expect(!accepts(grammar, #"{"v":1,"next":{"v":2,"next":3}}"#))
    }

    /// What stands beside `$ref` counts; a name that is asked for twice comes once; lists are as long as they may be.
    @Test(arguments: [
        (##"{"$defs":{"s":{"type":"string"}},"$ref":"#/$defs/s","maxLength":3}"##, #""abc""#, #""abcd""#),
        (#"{"type":"object","required":["a","a"]}"#, #"{"a":1}"#, #"{"a":1,"a":1}"#),
        (#"{"prefixItems":[{"type":"null"},{"type":"null"}],"maxItems":1}"#, "[null]", "[null,null]"),
        (#"{"prefixItems":[{"type":"null"}],"minItems":2}"#, "[null,[1]]", "[null]"),
        (#"{"type":"number"}"#, "9999999999999999e289", "1e290"), (#"{"pattern":"^[a-cx\\d]$"}"#, #""7""#, #""d""#),
        (#"{"anyOf":[{"required":["b"]}],"properties":{"a":{"const":1},"b":{"const":2}}}"#, #"{"b":2}"#, #"{"a":1}"#),
    ])
    func schemasMeanWhatTheySay(schema: String, good: String, bad: String) throws {
        let grammar = try Grammar(jsonSchema: try JSONValue(schema.utf8))
        #expect(accepts(grammar, good) && !accepts(grammar, bad))
    }

    /// Exhausted once, exhausted for ever: what is asked after does not look like an end.
    @Test func tooManyBeginningsAreExhausted() throws {
        let names = (0..<6000).map { "\"\\\"a\($0)\\\"\"" }.joined(separator: " | ")
        let matcher = GrammarMatcher(try Grammar(gbnf: "root ::= " + names), TokenTrie([Array("a".utf8)]), ends: [1])
        #expect(matcher.isExhausted && !matcher.goesOn)
        #expect(!matcher.allows(0) && matcher.mask().isEmpty && matcher.isExhausted)
    }

    @Test func allOfAsksForAll() throws {
        let schema = try JSONValue(
            #"""
            {"allOf": [{"$ref": "#/$defs/a"}, {"properties": {"y": {"type": "null"}}, "required": ["y"]}],
             "$defs": {"a": {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"]}}}
            """#.utf8)
        let grammar = try Grammar(jsonSchema: schema)
        #expect(accepts(grammar, #"{"x":true,"y":null}"#))
        #expect(!accepts(grammar, #"{"x":true}"#) && !accepts(grammar, #"{"y":null}"#))
    }

    /// Every scalar is one step of `.`, and what is no UTF-8 none.
    @Test func scalarsAreTheirUTF8() throws {
        let grammar = try Grammar(gbnf: "root ::= .")
        for scalar in [0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF] {
            #expect(accepts(grammar, String(Unicode.Scalar(UInt32(scalar))!)))
        }
        let broken: [[UInt8]] = [
            [0x80], [0xC0, 0x80], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF],
        ]
        let trie = TokenTrie(broken)
        let matcher = GrammarMatcher(grammar, trie, ends: [])
        for token in broken.indices { #expect(!matcher.allows(Int32(token))) }
    }

    /// Tokens may begin within a character and end within another.
    @Test func tokensCutCharacters() throws {
        let grammar = try Grammar(gbnf: "root ::= [ä-ö]+ \"!\"")
        let trie = TokenTrie([[0xC3], [0xA4, 0xC3], [0xB6, 0x21], [0xBF]])
        let matcher = GrammarMatcher(grammar, trie, ends: [])
        for (token, other) in [(0, 1), (1, 3), (2, 3)] as [(Int32, Int32)] {
            #expect(matcher.allows(token) && !matcher.allows(other))
            matcher.advance(token)
        }
        #expect(matcher.isComplete && !matcher.goesOn)
    }

    /// A text that can be read in ever more ways ends with an error, not with a server that hangs.
    @Test func tooManyReadingsAreGivenUp() throws {
        let grammar = try Grammar(gbnf: "root ::= x\nx ::= \"a\" x \"b\" | \"a\" x \"c\" | \"a\" x x \"d\" | \"\"")
        let trie = TokenTrie([Array("a".utf8)])
        let matcher = GrammarMatcher(grammar, trie, ends: [])
        for _ in 0..<64 where matcher.allows(0) { matcher.advance(0) }
        #expect(matcher.isExhausted)
    }

    /// States are forgotten when there are many, and an answer goes on as if they were not.
    @Test func longNestingIsFollowedThroughTidying() throws {
        let depth = 9000
        let grammar = try Grammar(gbnf: "root ::= \"[\" root? \"]\"")
        let trie = TokenTrie([Array("[".utf8), Array("]".utf8)])
        let matcher = GrammarMatcher(grammar, trie, ends: [])
        for token in repeatElement(Int32(0), count: depth) { matcher.advance(token) }
        for _ in 0..<depth {
            #expect(matcher.allows(1) && !matcher.isComplete)
            matcher.advance(1)
        }
        #expect(matcher.isComplete && !matcher.goesOn)
    }
}
