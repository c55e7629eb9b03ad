import HearthInference
import Hummingbird

/// What is served, whether it is well, and its tokenizer.
struct ModelRoutes: Sendable {
    let server: InferenceServer

    private struct Model: Encodable {
        let id: String
        let object = "model"
        let created: Int
        let ownedBy = "hearth"
        let contextLength: Int
        enum CodingKeys: String, CodingKey {
            case id, object, created
            case ownedBy = "owned_by"
            case contextLength = "max_model_len"
        }
    }
    private struct ModelList: Encodable {
        let object = "list"
        let data: [Model]
    }
    private struct TokenizeRequest: Decodable {
        let content: String
        /// Read control tokens such as `<|im_start|>` as themselves; false when nil.
        let parsesControl: Bool?

        enum CodingKeys: String, CodingKey {
            case content
            case parsesControl = "parse_special"
        }
    }
    private struct Tokens: Codable { let tokens: [Int32] }
    private struct Content: Encodable { let content: String }

    func add(to router: Router<ServeContext>) {
        let model = Model(
            id: server.model.name, created: server.startedAt, contextLength: server.language.contextLength)
        router.get("/health") { _, _ in
            let metrics = server.engine.metrics
            guard metrics.isFailing else { return try JSONBody.response(["status": "ok"]) }
            let reason = "the last \(metrics.failedPasses) passes of the model failed"
            return try JSONBody.response(["status": "failing", "reason": reason], status: .serviceUnavailable)
        }
        router.get("/v1/models") { _, _ in try JSONBody.response(ModelList(data: [model])) }
        router.get("/v1/models/:model") { _, context in
            try server.model.check(try context.parameters.require("model"))
            return try JSONBody.response(model)
        }
        router.post("/tokenize") { request, _ in
            let body = try JSONBody.decode(TokenizeRequest.self, from: try await server.body(of: request))
            let ids = server.language.tokenizer.encode(body.content, parsesControl: body.parsesControl ?? false)
            return try JSONBody.response(Tokens(tokens: ids))
        }
        router.post("/detokenize") { request, _ in
            let body = try JSONBody.decode(Tokens.self, from: try await server.body(of: request))
            return try JSONBody.response(Content(content: server.language.tokenizer.decode(body.tokens)))
        }
    }
}
