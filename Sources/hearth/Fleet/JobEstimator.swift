import Foundation
import HearthBench
import HearthFleet
import HearthInference
import HearthJSON

/// What a job will compute, as far as can be told where it is submitted.
enum JobEstimator {
    /// nil where the kind of job has no end of its own, or says too little.
    ///
    /// - Throws: what is wrong with the spec's cases. A model or an input that cannot be read here is for the node to judge.
    static func estimate(_ spec: JobSpec) throws -> JobEstimate? {
        switch spec.kind {
        case .bench: return try spec.cases.map { try estimate(cases: $0) }
        case .generate: return generate(spec)
        case .serve, .probe: return nil
        }
    }

    private static func estimate(cases texts: [String]) throws -> JobEstimate {
        let cases = try texts.map { text in
            do { return try BenchCase(text) } catch { throw CommandFailure(.badConfig, "cases: \(error)") }
        }
        return JobEstimate(
            kernels: cases.flatMap { [$0.preparation, $0.work] }, memoryByteCount: cases.map(\.memoryByteCount).max())
    }

    /// At most: an answer may end before its last token.
    private static func generate(_ spec: JobSpec) -> JobEstimate? {
        guard let model = try? ModelWork(path: spec.model ?? "") else { return nil }
        if let input = spec.input {
            guard let tokens = batchTokens(input) else { return nil }
            let batch = model.batch(promptTokens: tokens.prompt, answerTokens: tokens.answer)
            return JobEstimate(kernels: [model.load, batch], memoryByteCount: model.memoryByteCount)
        }
        let prompt = max(1, model.tokenizer.encode(spec.prompt ?? "").count)
        return JobEstimate(
            kernels: [model.load, model.prefill(prompt), model.decode(spec.maxTokens)],
            memoryByteCount: model.memoryByteCount)
    }

    /// Of a file of requests: a token for four bytes of it, and as many answered as are asked for.
    private static func batchTokens(_ path: String) -> (prompt: Int, answer: Int)? {
        guard let data = FileManager.default.contents(atPath: path), data.count <= 256 << 20 else { return nil }
        var tokens = (prompt: 0, answer: 0)
        for line in data.split(separator: UInt8(ascii: "\n")) {
            tokens.prompt += max(1, line.count / 4)
            let request = try? JSONValue(Data(line))
            let body = request?["body"] ?? request
            let wanted = body?["max_tokens"]?.integer ?? body?["max_completion_tokens"]?.integer ?? 16
            tokens.answer += min(max(wanted, 0), 1 << 20)
        }
        return tokens.prompt > 0 ? tokens : nil
    }
}
