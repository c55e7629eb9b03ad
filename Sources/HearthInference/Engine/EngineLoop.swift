import HearthCompute
import HearthModels
import HearthRoofline

/// What the engine's thread does: admit, put a pass together, run it, hand out what came.
final class EngineLoop: @unchecked Sendable {
    // `@unchecked Sendable`: made by one thread, used by another alone from then on.
    private let engine: Engine
    private let runner: BatchRunner
    private var pages: PageAllocator
    /// In the order they were admitted.
    private var active: [EngineSequence] = []

    init(_ engine: Engine, _ runner: BatchRunner) {
        (self.engine, self.runner) = (engine, runner)
        pages = PageAllocator(pageCount: runner.pool.pageCount)
    }

    func run() {
        while true {
            dropCancelled()
            if admit() { break }
            if active.isEmpty {
                engine.waitForWork()
                continue
            }
            step()
        }
    }

    private func update(_ change: (inout EngineMetrics) -> Void) {
        engine.state.withLock {
            change(&$0.metrics)
            ($0.metrics.active, $0.metrics.heldPages) = (active.count, pages.held)
        }
    }

    // MARK: Coming and going

    private func dropCancelled() {
        let (ids, waiting) = engine.state.withLock { state in
            defer { state.cancelled = [] }
            let ids = state.cancelled
            return (ids, ids.isEmpty ? [] : state.queue.remove { ids.contains($0.id) })
        }
        if ids.isEmpty { return }
        let under = active.filter { ids.contains($0.id) }
        under.forEach(leave)
        let count = under.count + waiting.count
        update { $0.cancelled += count }
    }

    /// Takes in what waits while there is room. True when the engine stops and nothing is left to do.
    private func admit() -> Bool {
        var isStopping = false
        var refused: [EngineSequence] = []
        engine.state.withLock { state in
            isStopping = state.isStopping
            if isStopping { refused = state.queue.remove { !$0.wasAdmitted } }
            while active.count < engine.options.maxSequences, let next = state.queue.first, claimPages(next) {
                state.queue.removeFirst()
                next.wasAdmitted = true
                active.append(next)
            }
        }
        refused.forEach { $0.finish(.failed, problem: "the server is stopping") }
        if !refused.isEmpty { update { $0.failed += refused.count } }
        return isStopping && active.isEmpty
    }

    /// Pages for the whole prompt and the token after it, those of a known beginning among them.
    private func claimPages(_ sequence: EngineSequence) -> Bool {
        // An embedding needs every token's pass, a known beginning among them.
        let shared = sequence.request.embeds ? [] : pages.takePrefix(of: sequence.request.prompt[...])
        let needed = KVPool.pages(for: sequence.promptCount + 1) - shared.count
        guard let own = pages.take(needed) else {
            pages.release(shared)
            return false
        }
        sequence.pages = shared + own
        sequence.computed = shared.count * KVPool.pageKeys
        sequence.cachedTokens = sequence.computed
        return true
    }

    private func leave(_ sequence: EngineSequence) {
        pages.release(sequence.pages)
        sequence.pages = []
        active.removeAll { $0 === sequence }
    }

    /// A page for the sequence's next token. Where none is left, whoever came last gives up its place and starts again later.
    private func makeRoom(_ sequence: EngineSequence) -> Bool {
        while KVPool.pages(for: sequence.computed + 1) > sequence.pages.count {
            if let page = pages.take(1) {
                sequence.pages += page
                continue
            }
            let last = active.last!
            leave(last)
            last.computed = 0
            engine.state.withLock {
                $0.queue.putBack(last)
                $0.metrics.preempted += 1
            }
            if last === sequence { return false }
        }
        return true
    }

    // MARK: A pass

    private func step() {
        var chosen: [(sequence: EngineSequence, range: Range<Int>)] = []
        for sequence in active where !sequence.isPrefilling {
            // Making room for an earlier one may have put this one out.
            guard active.contains(where: { $0 === sequence }), makeRoom(sequence) else { continue }
            chosen.append((sequence, sequence.computed..<sequence.computed + 1))
        }
        chosen.removeAll { entry in !active.contains { $0 === entry.sequence } }
        var budget = engine.options.maxBatchTokens - chosen.count
        for sequence in active where sequence.isPrefilling {
            guard let range = sequence.prefillPiece(budget: budget) else { continue }
            chosen.append((sequence, range))
            budget -= range.count
        }
        let embedding = chosen.filter(\.sequence.request.embeds)
        let generating = chosen.filter { !$0.sequence.request.embeds }
        let isAlone = engine.options.isInvariant && engine.language.device.canReplay
        for part in [generating, embedding] {
            if isAlone { for entry in part { run([entry]) } } else { run(part) }
        }
    }

    /// - Parameter chosen: all of them embeddings, or none.
    private func run(_ chosen: [(sequence: EngineSequence, range: Range<Int>)]) {
        if chosen.isEmpty { return }
        let embeds = chosen[0].sequence.request.embeds
        let pieces = chosen.map { sequence, range in
            Batch.Piece(
                tokens: Array(sequence.tokens[range]), position: range.lowerBound, pages: sequence.pages,
                outputs: embeds ? .all : range.upperBound == sequence.tokens.count ? .last : .none)
        }
        let batch = Batch(pieces)
        // Answers come in the order of the batch, which has single tokens first.
        let receivers = batch.order.filter { pieces[$0].outputs == .last }.map { chosen[$0].sequence }
        let answers: [BatchRunner.Answer]
        let usage: DecodeSession.Usage
        do throws(DeviceError) {
            (answers, usage) = try runner.run(batch, embeds ? .hidden : Self.wanted(receivers))
        } catch {
            return fail(chosen.map(\.sequence), error)
        }
        var finished = 0
        for (sequence, range) in chosen {
            sequence.computed = range.upperBound
            if embeds { continue }
            if range.lowerBound < sequence.promptCount {
                let known = min(sequence.computed, sequence.promptCount)
                pages.publish(sequence.pages, holding: sequence.request.prompt[..<known])
            }
        }
        let firsts = receivers.filter { $0.firstTokenSeconds == nil }
        for (sequence, answer) in zip(receivers, answers) where sequence.accept(answer, engine.language) {
            leave(sequence)
            finished += 1
        }
        if embeds {
            var rows = answers[...]
            for index in batch.order {
                let (sequence, range) = chosen[index]
                if sequence.accept(rows.prefix(range.count), of: range) {
                    leave(sequence)
                    finished += 1
                    update { $0.promptTokens += sequence.promptCount }
                }
                rows = rows.dropFirst(range.count)
            }
        }
        update { metrics in
            metrics.passes += 1
            metrics.failedPasses = 0
            metrics.busySeconds += usage.seconds
            metrics.flops += usage.cost.flops
            metrics.bytes += usage.cost.bytesRead + usage.cost.bytesWritten
            metrics.completed += finished
            metrics.generatedTokens += receivers.count
            for sequence in firsts where sequence.firstTokenSeconds != nil {
                metrics.timeToFirstToken.add(sequence.firstTokenSeconds ?? 0)
                metrics.promptTokens += sequence.promptCount
                metrics.cachedTokens += sequence.cachedTokens
            }
            for seconds in receivers.compactMap(\.secondsSinceLastToken) { metrics.timePerOutputToken.add(seconds) }
        }
    }

    /// The least that serves every sampler.
    private static func wanted(_ sequences: [EngineSequence]) -> BatchRunner.Wanted {
        var most = 0
        for sequence in sequences {
            switch sequence.wanted {
            case .largest: most = max(most, 1)
            case .likeliest(let k): most = max(most, k + 1)
            case .logits, .hidden: return .logits
            }
        }
        return most <= 1 ? .largest : .likeliest(most - 1)
    }

    /// A pass that failed ends the answers in it, not the server.
    private func fail(_ sequences: [EngineSequence], _ error: DeviceError) {
        for sequence in sequences {
            leave(sequence)
            sequence.finish(.failed, problem: "\(error)")
        }
        update { metrics in
            metrics.failed += sequences.count
            metrics.failedPasses += 1
            metrics.lastFailure = .now
        }
    }
}
