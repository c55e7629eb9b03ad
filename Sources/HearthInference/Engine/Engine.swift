import Foundation
import HearthCompute
import HearthGrammar
import HearthModels
import HearthRoofline
import Synchronization

/// Serves many requests on one model: continuous batching over a paged KV cache with shared prefixes.
///
/// One thread, which keeps the engine until `stop`, runs pass after pass; each takes the next token of every answer under way and as much of the waiting prompts as
/// fits. On the CPU, and elsewhere with `isInvariant`, a request's tokens do not depend on what runs beside it, to the bit.
///
/// - Source: Yu et al., "Orca", OSDI 2022; Kwon et al., arXiv 2309.06180.
public final class Engine: Sendable {
    public struct Options: Sendable {
        /// Answers under way at once.
        public var maxSequences = 64
        /// Requests that may wait; more are refused. Of one named client half as many, so that none keeps all others out.
        public var maxQueued = 256
        /// Tokens of one pass.
        public var maxBatchTokens = 256
        /// Keys and values: f16, f32 or q8_0.
        public var cache = DType.f16
        public static let cacheTypes = KVPool.dtypes
        /// Bytes for keys and values of all sequences.
        public var cacheByteCount = 1 << 30
        /// One sequence a pass where a device's sums depend on how many there are. Costs batching there; nothing on the CPU.
        public var isInvariant = false

        public init() {}

        /// Requests of `client` that may wait.
        public func queueShare(of client: String) -> Int { client.isEmpty ? maxQueued : max(1, maxQueued / 2) }
    }

    public let language: LanguageModel
    public let options: Options
    let state: Mutex<State>
    private let wake = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    struct State {
        var queue = FairQueue()
        var cancelled: Set<Int> = []
        var nextID = 0
        var isStopping = false
        var metrics = EngineMetrics()
    }

    /// - Throws: `invalid` where the cache cannot hold one sequence of the whole context; `outOfMemory`.
    public init(_ language: LanguageModel, _ options: Options = Options()) throws(DeviceError) {
        (self.language, self.options) = (language, options)
        let pageBytes = KVPool.pageByteCount(language.config, options.cache)
        // No more than can be used, no fewer than one whole context takes.
        let perSequence = KVPool.pages(for: language.contextLength)
        let pageCount = min(options.cacheByteCount / pageBytes, options.maxSequences * perSequence)
        guard pageCount >= perSequence else {
            throw DeviceError(
                .invalid,
                "a KV cache of \(options.cacheByteCount) bytes cannot hold one context of \(language.contextLength) tokens (\(perSequence * pageBytes) bytes): give it more or shorten the context"
            )
        }
        guard options.maxSequences >= 1, options.maxBatchTokens >= options.maxSequences + KVPool.pageKeys else {
            throw DeviceError(
                .invalid,
                "a pass of \(options.maxBatchTokens) tokens is too small for \(options.maxSequences) sequences")
        }
        let pool = try KVPool(language.config, pageCount: pageCount, dtype: options.cache, device: language.device)
        let runner = try BatchRunner(
            language, pool: pool, maxTokens: options.maxBatchTokens, maxPieces: options.maxSequences,
            contextLength: language.contextLength)
        var metrics = EngineMetrics()
        metrics.pages = pageCount
        state = Mutex(State(metrics: metrics))
        let loop = EngineLoop(self, runner)
        let thread = Thread { [ended] in
            loop.run()
            ended.signal()
        }
        thread.name = "hearth-engine"
        thread.stackSize = 8 << 20
        thread.start()
    }

    public var metrics: EngineMetrics {
        state.withLock {
            var metrics = $0.metrics
            metrics.queued = $0.queue.count
            return metrics
        }
    }

    /// Puts `request` in line. Dropping the stream cancels it.
    ///
    /// - Throws: `EngineRejection` for what can never be served, a full queue, or an engine that stops.
    public func submit(_ request: EngineRequest) throws(EngineRejection) -> AsyncStream<EngineEvent> {
        if let problem = problem(of: request) { throw EngineRejection(reason: .invalid, description: problem) }
        if let refusal = state.withLock({ refusal(&$0, request.client) }) { throw refusal }
        let matcher = request.grammar.map {
            GrammarMatcher($0, language.tokenTexts, ends: request.ignoresEnd ? [] : language.endIDs)
        }
        if let matcher, !matcher.goesOn {
            let reason = matcher.isExhausted ? "is too ambiguous where it begins" : "lets nothing begin"
            throw EngineRejection(reason: .invalid, description: "the grammar \(reason)")
        }
        let (stream, continuation) = AsyncStream.makeStream(of: EngineEvent.self, bufferingPolicy: .unbounded)
        let rejection: EngineRejection? = state.withLock { state in
            if let refusal = refusal(&state, request.client) { return refusal }
            let id = state.nextID
            state.nextID += 1
            state.metrics.accepted += 1
            continuation.onTermination = { [weak self] reason in
                if case .cancelled = reason { self?.cancel(id) }
            }
            state.queue.append(EngineSequence(id, request, matcher, continuation))
            return nil
        }
        if let rejection { throw rejection }
        wake.signal()
        return stream
    }

    /// Why nothing can be put in line now.
    private func refusal(_ state: inout State, _ client: String) -> EngineRejection? {
        if state.isStopping { return EngineRejection(reason: .stopping, description: "the server is stopping") }
        let own = state.queue.count(of: client)
        let hasItsShare = own >= options.queueShare(of: client) && !client.isEmpty
        guard state.queue.count >= options.maxQueued || hasItsShare else { return nil }
        state.metrics.refused += 1
        let wait = state.metrics.retryAfterSeconds(queued: state.queue.count)
        let waiting = hasItsShare ? "\(own) requests of \(client)" : "\(state.queue.count) requests"
        return EngineRejection(
            reason: .busy(retryAfterSeconds: wait), description: "\(waiting) are waiting: try again in \(wait) s")
    }

    private func problem(of request: EngineRequest) -> String? {
        if let problem = request.sampling.problem { return problem }
        if request.prompt.isEmpty { return "the prompt is empty" }
        if request.maxTokens < 1 { return "max_tokens \(request.maxTokens) is less than 1" }
        if let id = request.prompt.first(where: { $0 < 0 || Int($0) >= language.config.vocabularySize }) {
            return "token \(id) is not in the vocabulary of \(language.config.vocabularySize)"
        }
        if request.maxTokens > language.contextLength - request.prompt.count {
            return
                "\(request.prompt.count) prompt tokens and \(request.maxTokens) to generate exceed the context of \(language.contextLength) tokens"
        }
        return nil
    }

    private func cancel(_ id: Int) {
        state.withLock { _ = $0.cancelled.insert(id) }
        wake.signal()
    }

    /// Finishes what is under way, refuses what waits, and returns when the thread has ended.
    public func stop() {
        state.withLock { $0.isStopping = true }
        wake.signal()
        ended.wait()
        ended.signal()
    }

    func waitForWork() { wake.wait() }
}
