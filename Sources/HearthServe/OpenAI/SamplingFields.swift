import HearthInference

/// What chat and text completions have in common, by OpenAI's names and, where it has none, llama.cpp's and vLLM's.
struct SamplingFields: Decodable {
    var model: String?
    var maxTokens: Int?
    var temperature, topP, minP, repetitionPenalty, presencePenalty, frequencyPenalty: Double?
    var topK, n: Int?
    var seed: Int64?
    var stop: OneOrMany<String>?
    var logitBias: [String: Double]?
    var stream, ignoreEOS: Bool?
    var streamOptions: StreamOptions?
    let format: OutputFormat

    /// Answers to one request.
    static let maximumChoices = 64

    struct StreamOptions: Decodable {
        var includeUsage: Bool?
        enum CodingKeys: String, CodingKey { case includeUsage = "include_usage" }
    }

    enum CodingKeys: String, CodingKey {
        case model, temperature, n, seed, stop, stream
        case maxTokens = "max_tokens"
        case maxCompletionTokens = "max_completion_tokens"
        case topP = "top_p"
        case minP = "min_p"
        case topK = "top_k"
        case repetitionPenalty = "repetition_penalty"
        case repeatPenalty = "repeat_penalty"
        case presencePenalty = "presence_penalty"
        case frequencyPenalty = "frequency_penalty"
        case logitBias = "logit_bias"
        case streamOptions = "stream_options"
        case ignoreEOS = "ignore_eos"
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        func field<T: Decodable>(_ key: CodingKeys) throws -> T? { try fields.decodeIfPresent(T.self, forKey: key) }
        model = try field(.model)
        maxTokens = try field(.maxCompletionTokens) ?? field(.maxTokens)
        (temperature, topP, minP) = (try field(.temperature), try field(.topP), try field(.minP))
        repetitionPenalty = try field(.repetitionPenalty) ?? field(.repeatPenalty)
        (presencePenalty, frequencyPenalty) = (try field(.presencePenalty), try field(.frequencyPenalty))
        (topK, n, seed, stop) = (try field(.topK), try field(.n), try field(.seed), try field(.stop))
        ignoreEOS = try field(.ignoreEOS)
        format = try OutputFormat(from: decoder)
        (logitBias, stream, streamOptions) = (try field(.logitBias), try field(.stream), try field(.streamOptions))
    }

    var isStreamed: Bool { stream ?? false }
    var reportsUsage: Bool { streamOptions?.includeUsage ?? false }

    /// `n` requests for each prompt, all of one prompt together, each with a seed of its own.
    ///
    /// - Parameter seed: where the request names none; nil draws one.
    func requests(
        prompts: [[Int32]], context: Int, logProbabilities: Int?, client: String, seed: UInt64?
    ) throws -> [EngineRequest] {
        let n = n ?? 1
        guard n >= 1, n <= Self.maximumChoices, prompts.count <= Self.maximumChoices / n else {
            throw APIError(
                .badRequest, "n: \(n) answers to \(prompts.count) prompts are not in 1...\(Self.maximumChoices)",
                param: "n")
        }
        return try prompts.flatMap { prompt in
            let first = try request(
                prompt: prompt, room: context - prompt.count, logProbabilities: logProbabilities, client: client,
                seed: self.seed.map(UInt64.init(bitPattern:)) ?? seed ?? .random(in: 0 ... .max))
            return (0..<n).map { index in
                var request = first
                request.sampling.seed &+= UInt64(index)
                return request
            }
        }
    }

    /// - Parameter room: tokens that the context leaves after the prompt: the most, and what no number means.
    private func request(
        prompt: [Int32], room: Int, logProbabilities: Int?, client: String, seed: UInt64
    ) throws -> EngineRequest {
        let stops = stop?.values ?? []
        guard stops.count <= 16, stops.allSatisfy({ $0.utf8.count <= 1024 }) else {
            throw APIError(.badRequest, "stop: at most 16 strings of at most 1024 bytes", param: "stop")
        }
        var sampling = SamplingOptions(
            temperature: temperature ?? 1, topK: topK ?? 0, topP: topP ?? 1, minP: minP ?? 0,
            seed: seed)
        sampling.repetitionPenalty = repetitionPenalty ?? 1
        (sampling.presencePenalty, sampling.frequencyPenalty) = (presencePenalty ?? 0, frequencyPenalty ?? 0)
        for (key, bias) in logitBias ?? [:] {
            guard let id = Int32(key) else {
                throw APIError(.badRequest, "logit_bias: '\(key.prefix(20))' is not a token id", param: "logit_bias")
            }
            sampling.logitBias[id] = bias
        }
        if let problem = sampling.problem { throw APIError(.badRequest, problem) }
        if room < 1 {
            throw APIError(
                .badRequest, "the prompt of \(prompt.count) tokens fills the context", code: "context_length_exceeded")
        }
        var request = EngineRequest(
            prompt: prompt, maxTokens: maxTokens ?? room, sampling: sampling, stops: stops,
            logProbabilities: logProbabilities, client: client)
        request.ignoresEnd = ignoreEOS ?? false
        return request
    }
}

/// A value, or a list of them.
struct OneOrMany<Value: Decodable>: Decodable {
    let values: [Value]

    init(from decoder: any Decoder) throws {
        let single = try decoder.singleValueContainer()
        if let one = try? single.decode(Value.self) {
            values = [one]
        } else {
            values = try single.decode([Value].self)
        }
    }
}
