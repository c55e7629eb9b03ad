import Foundation
import HearthFormats
import HearthGrammar
import HearthModels

/// One request while it is served: its tokens, how many of them are computed, and the pages that hold them.
///
/// A sequence that gave its pages back is computed again from its start, prompt and answer alike, the answer token by token
/// as before: so its bits come out the same.
///
/// `@unchecked Sendable`: it belongs to the queue, under the engine's lock, or to the engine's thread.
final class EngineSequence: @unchecked Sendable {
    let id: Int
    let request: EngineRequest
    let continuation: AsyncStream<EngineEvent>.Continuation
    let submitted = ContinuousClock.now
    /// The prompt and what has been generated.
    var tokens: [Int32]
    /// Tokens whose keys and values are in `pages`.
    var computed = 0
    var pages: [Int32] = []
    var cachedTokens = 0
    /// Whether it has been under way, even if it waits again.
    var wasAdmitted = false
    var lastTokenAt: ContinuousClock.Instant?
    var sampler: Sampler
    var firstTokenSeconds: Double?
    /// Between the last two tokens.
    private(set) var secondsSinceLastToken: Double?
    private var stream = UTF8Stream()
    private var stops: StopFilter
    private let matcher: GrammarMatcher?
    /// What is kept back from a request that wants all at once.
    private var held: [EngineEvent] = []

    init(
        _ id: Int, _ request: EngineRequest, _ matcher: GrammarMatcher?,
        _ continuation: AsyncStream<EngineEvent>.Continuation
    ) {
        (self.id, self.request, self.matcher, self.continuation) = (id, request, matcher, continuation)
        tokens = request.prompt
        sampler = Sampler(request.sampling, prompt: request.prompt)
        stops = StopFilter(request.stops)
    }

    var promptCount: Int { request.prompt.count }
    var completionCount: Int { tokens.count - promptCount }
    var isPrefilling: Bool { computed < promptCount }

    /// The next tokens of the prompt, at most `budget`, nil when there is room for none.
    ///
    /// Pieces end at whole pages, and a last token that begins a page is always a piece of its own: whether a token is read
    /// alone or among others, which rounds differently, depends on the prompt only and not on what runs beside it.
    func prefillPiece(budget: Int) -> Range<Int>? {
        let page = KVPool.pageKeys
        let last = promptCount % page == 1 && computed + 1 < promptCount ? promptCount - 1 : promptCount
        let end = last - computed <= budget ? last : (computed + budget) / page * page
        return end > computed ? computed..<end : nil
    }

    /// What the model gives this request's sampler.
    var wanted: BatchRunner.Wanted {
        request.logProbabilities == nil && matcher == nil ? sampler.wanted : .logits
    }

    /// Takes the token that follows; true when the answer ends with it.
    func accept(_ answer: BatchRunner.Answer, _ language: LanguageModel) -> Bool {
        guard let id = sampler.next(answer, matcher), matcher?.isExhausted != true else {
            finishByGrammar()
            return true
        }
        let now = ContinuousClock.now
        secondsSinceLastToken = lastTokenAt.map { (now - $0).seconds }
        lastTokenAt = now
        if firstTokenSeconds == nil { firstTokenSeconds = (ContinuousClock.now - submitted).seconds }
        if language.endIDs.contains(id), !request.ignoresEnd {
            finish(.stop)
            return true
        }
        tokens.append(id)
        matcher?.advance(id)
        let (text, isStopped) = stops.append(stream.append(language.tokenizer.bytes(of: id)))
        let (own, likeliest) = logProbabilities(of: id, answer)
        let event = EngineEvent.token(.init(id: id, text: text, logProbability: own, likeliest: likeliest))
        if request.arrivesWhole { held.append(event) } else { continuation.yield(event) }
        if isStopped {
            finish(.stop, flush: false)
            return true
        }
        if let matcher, !matcher.goesOn {
            finishByGrammar()
            return true
        }
        if completionCount == request.maxTokens {
            finish(.length)
            return true
        }
        return false
    }

    /// Where no token may follow: a good end only where the grammar is complete.
    private func finishByGrammar() {
        guard let matcher, matcher.isExhausted || !matcher.isComplete else { return finish(.stop) }
        let problem =
            matcher.isExhausted
            ? "the grammar is too ambiguous: following it takes too long"
            : "after \(completionCount) tokens the grammar lets none of the model's follow"
        finish(.refused, problem: problem)
    }

    // MARK: Embeddings

    private var sum: [Float] = []

    /// Takes what the model made of the tokens in `range`; true when they are the last.
    func accept(_ rows: ArraySlice<BatchRunner.Answer>, of range: Range<Int>) -> Bool {
        if range.lowerBound == 0 { sum = [] }
        for case .hidden(let row) in rows { sum = sum.isEmpty ? row : zip(sum, row).map { $0 + $1 } }
        guard range.upperBound == promptCount else { return false }
        let length = sum.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        continuation.yield(.embedding(sum.map { length > 0 ? Float(Double($0) / length) : 0 }))
        finish(.stop)
        return true
    }

    private func logProbabilities(of id: Int32, _ answer: BatchRunner.Answer) -> (Double?, [TokenLogProbability]) {
        guard let count = request.logProbabilities, case .logits(let logits) = answer else { return (nil, []) }
        let largest = Double(logits.max()!)
        let sum = log(logits.reduce(0.0) { $0 + exp(Double($1) - largest) }) + largest
        let top = Sampler.likeliest(logits, max(1, count)).prefix(count).map {
            TokenLogProbability(id: $0.id, logProbability: Double($0.logit) - sum)
        }
        return (Double(logits[Int(id)]) - sum, top)
    }

    func finish(_ reason: EngineEvent.Finish.Reason, flush: Bool = true, problem: String? = nil) {
        var text = ""
        if flush {
            let (rest, isStopped) = stops.append(stream.finish())
            text = isStopped ? rest : rest + stops.finish()
        }
        for event in held { continuation.yield(event) }
        held = []
        continuation.yield(
            .finished(
                .init(
                    reason: reason, text: text, promptTokens: promptCount, cachedTokens: cachedTokens,
                    completionTokens: completionCount,
                    timeToFirstTokenSeconds: firstTokenSeconds ?? (ContinuousClock.now - submitted).seconds,
                    problem: problem)))
        continuation.finish()
    }
}
