import HearthCompute
import HearthGrammar
import HearthInference
import HearthModels
import Support
import Testing

/// The engine on the real model: what comes back is what each request gets alone.
@Suite(.serialized, .enabled(if: TestPaths.model != nil, "model is missing"))
struct EngineTests {
    private func language(_ selector: String = "cpu", context: Int = 512) throws -> LanguageModel {
        try LanguageModel(
            path: try #require(TestPaths.model), device: try TestDevices.device(selector), contextLength: context)
    }

    private func answer(_ stream: AsyncStream<EngineEvent>) async -> (
        ids: [Int32], text: String, finish: EngineEvent.Finish?
    ) {
        var (ids, text): ([Int32], String) = ([], "")
        for await event in stream {
            switch event {
            case .embedding: break
            case .token(let token):
                ids.append(token.id)
                text += token.text
            case .finished(let finish):
                #expect(finish.problem == nil)
                return (ids, text + finish.text, finish)
            }
        }
        return (ids, text, nil)
    }

    private static let passage = """
        A river that is fed by melting snow rises in the late spring, when days grow long, and falls again by the end of the \
        summer; the people of the valley have built their mills, their bridges and their calendars around it for as long as \
        anyone remembers, and when it fails to rise they tell each other stories of the year it did not, and of the year after.
        """

    private func requests(_ language: LanguageModel) -> [EngineRequest] {
        (0..<10).map { index in
            let words = Self.passage.split(separator: " ").prefix(3 + index * 7).joined(separator: " ")
            var sampling = SamplingOptions(
                temperature: index % 2 == 0 ? 0 : 0.8, topK: index % 3 * 20, seed: UInt64(index))
            if index == 7 { sampling.frequencyPenalty = 0.5 }
            return EngineRequest(
                prompt: language.tokenizer.encode(words), maxTokens: 6 + index, sampling: sampling,
                client: "\(index % 3)")
        }
    }

    /// The promise of the invariant mode, on the CPU always: alone, together, and with so little room that answers are put out
    /// and computed again, the tokens are the same.
    @Test(arguments: [DType.f16, .q8_0]) func tokensDoNotDependOnTheBatch(cache: DType) async throws {
        let language = try language()
        let page = KVPool.pageByteCount(language.config, cache)
        var options = Engine.Options()
        (options.cache, options.maxSequences) = (cache, 16)
        let alone = try Engine(language, options)
        var expected: [[Int32]] = []
        for request in requests(language) { expected.append(await answer(try alone.submit(request)).ids) }
        alone.stop()
        for pages in [1000, 8] {
            options.cacheByteCount = pages * page
            let engine = try Engine(language, options)
            let streams = try requests(language).map { try engine.submit($0) }
            for (index, stream) in streams.enumerated() {
                let (ids, _, finish) = await answer(stream)
                #expect(ids == expected[index], "request \(index) with \(pages) pages")
                #expect(finish?.completionTokens == ids.count)
            }
            engine.stop()
            let metrics = engine.metrics
            #expect(metrics.completed == 10 && metrics.heldPages == 0 && metrics.active == 0)
        }
    }

    /// Eight long answers in eight pages: the last comers are put out, and say the same in the end.
    @Test func answersThatWerePutOutComeOutTheSame() async throws {
        let language = try language()
        let prompts = (0..<4).map { language.tokenizer.encode("Number \($0): " + Self.passage) }
        let requests = prompts.map { EngineRequest(prompt: $0, maxTokens: 120) }
        var options = Engine.Options()
        options.maxSequences = 8
        let wide = try Engine(language, options)
        var expected: [[Int32]] = []
        for request in requests { expected.append(await answer(try wide.submit(request)).ids) }
        wide.stop()
        options.cacheByteCount = 8 * KVPool.pageByteCount(language.config, options.cache)
        let narrow = try Engine(language, options)
        let streams = try requests.map { try narrow.submit($0) }
        for (stream, ids) in zip(streams, expected) { #expect(await answer(stream).ids == ids) }
        narrow.stop()
        #expect(narrow.metrics.preempted > 0)
    }

    /// Answers held to a grammar and embeddings, beside plain answers in eight pages, are put out and come out the same too.
    @Test func grammarsAndEmbeddingsDoNotDependOnWhatRunsBeside() async throws {
        let language = try language()
        let grammar = try Grammar(gbnf: "root ::= [a-z]+ (\", \" [a-z]+){20} \".\"")
        let prompts = (0..<4).map { language.tokenizer.encode("Words \($0): " + Self.passage) }
        var requests = prompts.map {
            EngineRequest(prompt: $0, maxTokens: 100, sampling: .init(temperature: 0.8, seed: 3))
        }
        for index in 0..<2 { requests[index].grammar = grammar }
        for index in 1..<4 { requests[index].arrivesWhole = true }
        requests += prompts.map { prompt in
            var request = EngineRequest(prompt: prompt + prompt, maxTokens: 1)
            request.embeds = true
            return request
        }
        func run(_ pages: Int?) async throws -> (answers: [String], preempted: Int) {
            var options = Engine.Options()
            options.maxSequences = 8
            if let pages { options.cacheByteCount = pages * KVPool.pageByteCount(language.config, options.cache) }
            let engine = try Engine(language, options)
            var answers: [String] = []
            if pages == nil {
                for request in requests { answers.append(await said(try engine.submit(request))) }
            } else {
                let streams = try requests.map { try engine.submit($0) }
                for stream in streams { answers.append(await said(stream)) }
            }
            engine.stop()
            return (answers, engine.metrics.preempted)
        }
        let alone = try await run(nil)
        let together = try await run(8)
        #expect(alone.answers == together.answers && together.preempted > 0)
        for text in alone.answers[..<2] {
            #expect(text.wholeMatch(of: #/[a-z]+(, [a-z]+)*(, |,|\.)?/#) != nil, "\(text)")
        }
        #expect(Set(alone.answers[4...]).count == 4)
    }

    /// The text of an answer, or the bits of an embedding.
    private func said(_ stream: AsyncStream<EngineEvent>) async -> String {
        var said = ""
        for await event in stream {
            switch event {
            case .token(let token): said += token.text
            case .embedding(let values): said += values.map { String($0.bitPattern, radix: 16) }.joined(separator: " ")
            case .finished(let finish): said += finish.text + (finish.problem ?? "")
            }
        }
        return said
    }

    /// A grammar that lets nothing begin, or comes to where no token leads on, does not end as an answer.
    @Test func grammarsWithoutAnEndAreRefused() async throws {
        let language = try language()
        let engine = try Engine(language)
        var request = EngineRequest(prompt: language.tokenizer.encode("A"), maxTokens: 20)
        request.grammar = try Grammar(gbnf: "root ::= x\nx ::= x")
        #expect(throws: EngineRejection.self) { try engine.submit(request) }
        request.grammar = try Grammar(gbnf: "root ::= \"ab\" x\nx ::= x")
        let end = await finish(try engine.submit(request))
        #expect(end?.reason == .refused && end?.problem?.contains("lets none of the model's follow") == true)
        request.grammar = try Grammar(gbnf: "root ::= \"ab\"")
        let good = await finish(try engine.submit(request))
        #expect(good?.reason == .stop)
        engine.stop()
    }

    private func finish(_ stream: AsyncStream<EngineEvent>) async -> EngineEvent.Finish? {
        for await event in stream { if case .finished(let finish) = event { return finish } }
        return nil
    }

    @Test func aBeginningInCommonIsComputedOnce() async throws {
        let language = try language()
        let engine = try Engine(language)
        let prompt = language.tokenizer.encode(Self.passage + Self.passage)
        #expect(prompt.count > 2 * KVPool.pageKeys)
        let first = await answer(try engine.submit(.init(prompt: prompt, maxTokens: 8)))
        let second = await answer(try engine.submit(.init(prompt: prompt, maxTokens: 8)))
        let other = await answer(try engine.submit(.init(prompt: [5] + prompt, maxTokens: 8)))
        engine.stop()
        #expect(first.ids == second.ids && first.finish?.cachedTokens == 0 && other.finish?.cachedTokens == 0)
        #expect(second.finish?.cachedTokens == (prompt.count - 1) / KVPool.pageKeys * KVPool.pageKeys)
    }

    /// A device whose passes are recorded, beside the CPU.
    @Test(arguments: TestDevices.vulkan) func devicesAgree(selector: String) async throws {
        var answers: [[[Int32]]] = []
        for (selector, isInvariant) in [("cpu", false), (selector, false), (selector, true)] {
            let language = try LanguageModel(
                path: try #require(TestPaths.model), device: try TestDevices.device(selector), contextLength: 256,
                activations: .f32)
            var options = Engine.Options()
            (options.maxSequences, options.isInvariant, options.cache) = (4, isInvariant, .f32)
            let engine = try Engine(language, options)
            let streams = try ["The capital of France is", "Two and two are", "Snow is"].map {
                try engine.submit(.init(prompt: language.tokenizer.encode($0), maxTokens: 5))
            }
            var ids: [[Int32]] = []
            for stream in streams { ids.append(await answer(stream).ids) }
            engine.stop()
            answers.append(ids)
        }
        #expect(answers[1] == answers[0])
        #expect(answers[2] == answers[0])
    }

    @Test func aFullQueueRefusesAndADroppedStreamIsCancelled() async throws {
        let language = try language()
        var options = Engine.Options()
        (options.maxSequences, options.maxQueued) = (1, 2)
        let engine = try Engine(language, options)
        let long = EngineRequest(prompt: language.tokenizer.encode("Count: one, two,"), maxTokens: 400)
        var streams: [AsyncStream<EngineEvent>] = [try engine.submit(long)]
        while engine.metrics.active == 0 { try await Task.sleep(for: .milliseconds(1)) }
        streams += [try engine.submit(long), try engine.submit(long)]
        do {
            _ = try engine.submit(long)
            Issue.record("a fourth was taken")
        } catch {
            guard case .busy(let seconds) = error.reason else { throw error }
            #expect(seconds >= 1)
        }
        // Whoever reads stops reading: the engine moves on and ends idle.
        let tasks = streams.map { stream in Task { for await _ in stream {} } }
        tasks.forEach { $0.cancel() }
        while engine.metrics.active + engine.metrics.queued > 0 { try await Task.sleep(for: .milliseconds(1)) }
        engine.stop()
        #expect(engine.metrics.heldPages == 0 && engine.metrics.refused == 1)
        #expect(throws: EngineRejection.self) { _ = try engine.submit(long) }
    }

    @Test func oneClientLeavesRoomForOthers() throws {
        let language = try language()
        var options = Engine.Options()
        (options.maxSequences, options.maxQueued) = (1, 8)
        let engine = try Engine(language, options)
        func ask(_ client: String) -> AsyncStream<EngineEvent>? {
            try? engine.submit(EngineRequest(prompt: [1, 2], maxTokens: 400, client: client))
        }
        // One of them may be under way already.
        let greedy = (0..<8).compactMap { _ in ask("greedy") }
        #expect((4...5).contains(greedy.count))
        let others = (0..<3).compactMap { _ in ask("other") }
        #expect(others.count == 3)
        _ = (greedy + others).map { stream in Task { for await _ in stream {} } }.map { $0.cancel() }
        engine.stop()
    }

    @Test func impossibleRequestsAreRefused() throws {
        let engine = try Engine(try language())
        defer { engine.stop() }
        for request in [
            EngineRequest(prompt: [], maxTokens: 1), EngineRequest(prompt: [1], maxTokens: 0),
            EngineRequest(prompt: [-1], maxTokens: 1), EngineRequest(prompt: [1, 1_000_000], maxTokens: 1),
            EngineRequest(prompt: [1], maxTokens: 512), EngineRequest(prompt: [1], maxTokens: .max),
            EngineRequest(prompt: [1], maxTokens: 1, sampling: .init(topK: .max)),
            EngineRequest(prompt: [1], maxTokens: 1, sampling: .init(topP: 0)),
        ] {
            do {
                _ = try engine.submit(request)
                Issue.record("taken: \(request)")
            } catch { guard case .invalid = error.reason else { throw error } }
        }
    }

    @Test func stopStringsEndTheAnswer() async throws {
        let language = try language()
        let engine = try Engine(language)
        defer { engine.stop() }
        let prompt = language.tokenizer.encode("The capital of France is")
        let whole = await answer(try engine.submit(.init(prompt: prompt, maxTokens: 12)))
        let stop = String(whole.text.dropFirst(9).prefix(3))
        let cut = await answer(try engine.submit(.init(prompt: prompt, maxTokens: 12, stops: [stop, "@@@"])))
        let expected = whole.text.range(of: stop).map { String(whole.text[..<$0.lowerBound]) }
        #expect(cut.text == expected && cut.finish?.reason == .stop && whole.finish?.reason == .length)
    }
}

@Suite struct PageAllocatorTests {
    private let tokens = (0..<300).map(Int32.init)

    @Test func pagesAreFoundByWhatLedToThem() throws {
        var pages = PageAllocator(pageCount: 8)
        let taken = pages.take(5)
        let own = try #require(taken)
        pages.publish(own, holding: tokens[...])
        pages.release(own)
        #expect(pages.held == 0 && pages.available == 8)
        let shared = pages.takePrefix(of: tokens[...])
        #expect(shared == Array(own[..<4]) && pages.held == 4)
        // Exactly full pages: the last one holds the last token, which has to be computed.
        #expect(pages.takePrefix(of: tokens[..<256]) == Array(own[..<3]))
        var other = tokens
        other[70] = 9
        #expect(pages.takePrefix(of: other[...]) == [own[0]])
        #expect(pages.take(5) == nil && pages.take(4)?.count == 4)
    }

    @Test func evictionForgetsThePageAndWhatFollowed() throws {
        var pages = PageAllocator(pageCount: 4)
        let taken = pages.take(4)
        let own = try #require(taken)
        pages.publish(own, holding: tokens[..<256])
        pages.release(own)
        // The end of the sequence goes first.
        #expect(pages.take(1) != nil)
        #expect(pages.takePrefix(of: tokens[...]) == Array(own[..<3]))
    }
}

@Suite struct StopFilterTests {
    @Test func textIsHeldBackWhileItMayBeginAStop() {
        var filter = StopFilter(["END", "\n\n"])
        #expect(filter.append("one E") == ("one ", false))
        #expect(filter.append("N") == ("", false))
        #expect(filter.append("T\n") == ("ENT", false))
        #expect(filter.append("\nrest") == ("", true))
        var lines = StopFilter(["\r\n"])
        #expect(lines.append("a\r") == ("a", false) && lines.append("\nb") == ("", true))
        var marked = StopFilter(["."])
        #expect(marked.append("a.\u{301}") == ("a", true))
        var other = StopFilter(["xyz"])
        #expect(other.append("axy") == ("a", false) && other.finish() == "xy")
    }
}
