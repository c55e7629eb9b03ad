import HearthCompute
import HearthFormats
import HearthKernels
import HearthRoofline

/// What to generate.
public struct GenerationRequest: Sendable {
    public var prompt: String
    public var isChat: Bool
    public var maxTokens: Int
    public var sampling: SamplingOptions

    public init(prompt: String, isChat: Bool = false, maxTokens: Int, sampling: SamplingOptions = .init()) {
        self.prompt = prompt
        self.isChat = isChat
        self.maxTokens = maxTokens
        self.sampling = sampling
    }
}

/// One phase of a generation: measured time beside modelled work.
public struct PhaseReport: Sendable, Codable, Hashable {
    public let tokens: Int
    public let seconds: Double
    public let tokensPerSecond: Double
    public let cost: Cost
    public let achieved: Achievement
    /// From the measured ceilings; nil when there are none.
    public let predictedSeconds: Double?

    init(tokens: Int, usage: DecodeSession.Usage, ceilings: Ceilings?) {
        self.tokens = tokens
        seconds = usage.seconds
        tokensPerSecond = usage.seconds > 0 ? Double(tokens) / usage.seconds : 0
        cost = usage.cost
        achieved = Achievement(kernels: usage.kernels, seconds: usage.seconds, ceilings: ceilings)
        predictedSeconds = ceilings?.predictedSeconds(for: usage.kernels, submissions: usage.submissions)
    }
}

/// The outcome of one generation.
public struct GenerationReport: Sendable, Codable, Hashable {
    public enum StopReason: String, Sendable, Codable { case endOfText = "end-of-text", maxTokens = "max-tokens" }

    public let model: String
    public let device: String
    public let deviceName: String
    public let text: String
    public let promptTokenIDs: [Int32]
    public let tokenIDs: [Int32]
    public let stopReason: StopReason
    /// From the start of prefill to the first token.
    public let timeToFirstTokenSeconds: Double
    public let prefill: PhaseReport
    public let decode: PhaseReport
    public let ceilings: Ceilings?
}

/// A request that cannot be served as asked.
public struct GenerationError: Error, Sendable, CustomStringConvertible {
    public let description: String
}

extension LanguageModel {
    /// Runs `request`, handing text to `onText` as its tokens come.
    ///
    /// - Throws: `GenerationError` for an empty prompt, bad options or a context that is too small.
    public func generate(
        _ request: GenerationRequest, ceilings: Ceilings? = nil, onPrefill: (Int, Int) -> Void = { _, _ in },
        onText: (String) -> Void = { _ in }
    ) throws -> GenerationReport {
        if let problem = request.sampling.problem { throw GenerationError(description: problem) }
        guard request.maxTokens >= 1 else {
            throw GenerationError(description: "max-tokens \(request.maxTokens) is less than 1")
        }
        let ids =
            request.isChat
            ? try chatPrompt([.init(role: "user", content: request.prompt)]) : tokenizer.encode(request.prompt)
        guard !ids.isEmpty else { throw GenerationError(description: "the prompt is empty") }
        guard ids.count + request.maxTokens <= contextLength else {
            throw GenerationError(
                description:
                    "\(ids.count) prompt tokens and \(request.maxTokens) to generate exceed the context of \(contextLength) tokens: shorten the prompt or lower max-tokens"
            )
        }
        let session = try DecodeSession(self, capacity: (ids.count + request.maxTokens + 63) / 64 * 64)
        var sampler = Sampler(request.sampling)
        var stream = UTF8Stream()
        var text = ""
        var produced: [Int32] = []
        func emit(_ piece: String) {
            if piece.isEmpty { return }
            text += piece
            onText(piece)
        }
        let (first, prefill) = try session.advance(ids, sampler.wanted) { onPrefill($0, ids.count) }
        var next = sampler.next(first)
        var decode = DecodeSession.Usage()
        var reason = GenerationReport.StopReason.maxTokens
        while true {
            if endIDs.contains(next) {
                reason = .endOfText
                break
            }
            produced.append(next)
            emit(stream.append(tokenizer.bytes(of: next)))
            if produced.count == request.maxTokens { break }
            let (answer, usage) = try session.advance([next], sampler.wanted)
            decode += usage
            next = sampler.next(answer)
        }
        emit(stream.finish())
        device.savePipelineCache()
        return GenerationReport(
            model: name, device: device.selector, deviceName: device.description.name, text: text,
            promptTokenIDs: ids, tokenIDs: produced, stopReason: reason, timeToFirstTokenSeconds: prefill.seconds,
            prefill: PhaseReport(tokens: ids.count, usage: prefill, ceilings: ceilings),
            decode: PhaseReport(tokens: decode.submissions, usage: decode, ceilings: ceilings), ceilings: ceilings)
    }
}
