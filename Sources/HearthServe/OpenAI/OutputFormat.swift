import HearthGrammar
import HearthInference
import HearthJSON
import NIOCore

/// What an answer must be: OpenAI's `response_format`, and llama.cpp's `json_schema` and `grammar` (GBNF).
struct OutputFormat: Decodable {
    private let gbnf: String?
    private let hasSchema: Bool

    private enum CodingKeys: String, CodingKey {
        case grammar
        case schema = "json_schema"
        case format = "response_format"
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        gbnf = try fields.decodeIfPresent(String.self, forKey: .grammar).flatMap { $0.isEmpty ? nil : $0 }
        func isGiven(_ key: CodingKeys) throws -> Bool { try fields.contains(key) && !fields.decodeNil(forKey: key) }
        hasSchema = try isGiven(.schema) || isGiven(.format)
    }

    /// - Parameter body: the request as it came: the order of a schema's properties counts, which decoding loses.
    func grammar(_ body: ByteBuffer, _ language: LanguageModel) throws -> Grammar? {
        var grammar: Grammar?
        if let gbnf {
            grammar = try refusing("grammar") { () throws(GrammarError) in
                try Grammar(gbnf: gbnf) { language.tokenizer.id(ofToken: $0) }
            }
        }
        guard hasSchema else { return grammar }
        let fields = try refusing("response_format") { () throws(JSONError) in
            try JSONValue(body.readableBytesView)
        }
        for key in [CodingKeys.schema, .format] {
            guard let value = fields[key.rawValue], value != .null else { continue }
            let asked = try refusing(key.rawValue) { () throws(GrammarError) in
                key == .schema ? try Grammar(jsonSchema: value) : try Self.grammar(ofFormat: value)
            }
            guard let asked else { continue }
            if grammar != nil {
                throw APIError(
                    .badRequest, "\(key.rawValue): only one of grammar, json_schema and response_format",
                    param: key.rawValue)
            }
            grammar = asked
        }
        return grammar
    }

    private static func grammar(ofFormat format: JSONValue) throws(GrammarError) -> Grammar? {
        guard case .string(let type) = format["type"] else { throw GrammarError("type is missing") }
        switch type {
        case "text": return nil
        case "json_object":
            if let schema = format["schema"] { return try Grammar(jsonSchema: schema) }
            return try Grammar.jsonObject()
        case "json_schema":
            guard let schema = format["json_schema"]?["schema"] ?? format["schema"] else {
                throw GrammarError("json_schema.schema is missing")
            }
            return try Grammar(jsonSchema: schema)
        default: throw GrammarError("type '\(type.prefix(40))' is none of text, json_object, json_schema")
        }
    }

    private func refusing<T, E: Error>(_ field: String, _ body: () throws(E) -> T) throws -> T {
        do {
            return try body()
        } catch {
            throw APIError(.badRequest, "\(field): \(error)", param: field)
        }
    }
}
