import Foundation
import HearthInference
import Hummingbird
import NIOCore

/// `/v1/embeddings`: texts as vectors of length 1, the mean over their tokens of what the model's output layer reads.
struct EmbeddingRoutes: Sendable {
    let server: InferenceServer

    private struct Body: Decodable {
        let model: String?
        let input: TextInput
        let format: Format?
        let dimensions: Int?

        enum Format: String, Decodable { case float, base64 }
        enum CodingKeys: String, CodingKey {
            case model, input, dimensions
            case format = "encoding_format"
        }
    }

    private struct Answer: Encodable {
        let object = "list"
        let model: String
        let data: [Vector]
        let usage: CompletionResponse.Usage
    }

    private struct Vector: Encodable {
        let object = "embedding"
        let index: Int
        let values: [Float]
        let isBase64: Bool

        private enum CodingKeys: String, CodingKey { case object, index, embedding }

        func encode(to encoder: any Encoder) throws {
            var fields = encoder.container(keyedBy: CodingKeys.self)
            try fields.encode(object, forKey: .object)
            try fields.encode(index, forKey: .index)
            guard isBase64 else { return try fields.encode(values, forKey: .embedding) }
            // Little-endian f32, as OpenAI's.
            let bytes = values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } }
            try fields.encode(Data(bytes).base64EncodedString(), forKey: .embedding)
        }
    }

    func add(to router: Router<ServeContext>) {
        router.post("/v1/embeddings") { request, context in
            var request = request
            let body = try JSONBody.decode(Body.self, from: try await server.collectBody(of: &request))
            try server.model.check(body.model)
            if body.dimensions != nil {
                throw APIError(.badRequest, "dimensions: the model's own only", param: "dimensions")
            }
            let answers = try submit(body.input.tokens(server.language), client: context.client)
            return try await InferenceServer.watching(request) {
                try await respond(answers, isBase64: body.format == .base64)
            }
        }
    }

    private func submit(_ inputs: [[Int32]], client: String) throws -> [AsyncStream<EngineEvent>] {
        guard inputs.count <= SamplingFields.maximumChoices else {
            throw APIError(
                .badRequest, "input: \(inputs.count) texts are more than \(SamplingFields.maximumChoices)",
                param: "input")
        }
        return try server.model.submit(
            inputs.map { tokens in
                var request = EngineRequest(prompt: tokens, maxTokens: 1, client: client)
                request.embeds = true
                return request
            })
    }

    private func respond(_ answers: [AsyncStream<EngineEvent>], isBase64: Bool) async throws -> Response {
        var vectors: [Vector] = []
        var usage = CompletionResponse.Usage()
        for (index, events) in answers.enumerated() {
            for await event in events {
                switch event {
                case .token: break
                case .embedding(let values): vectors.append(Vector(index: index, values: values, isBase64: isBase64))
                case .finished(let finish):
                    if let error = APIError(finish) { throw error }
                    usage.add(finish, countsPrompt: true)
                }
            }
        }
        guard vectors.count == answers.count else { throw APIError(.internalServerError, "the answer was cancelled") }
        return try JSONBody.response(Answer(model: server.model.name, data: vectors, usage: usage))
    }
}
