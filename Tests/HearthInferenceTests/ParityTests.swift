import Foundation
import HearthCompute
import HearthInference
import Support
import Testing

private func logProbability(_ logits: [Float], _ id: Int32) -> Double {
    if id < 0 { return 0 }
    let largest = Double(logits.max()!)
    let sum = logits.reduce(0.0) { $0 + exp(Double($1) - largest) }
    return Double(logits[Int(id)]) - largest - log(sum)
}

private func likeliest(_ logits: [Float]) -> Int32 { Int32(logits.indices.max { logits[$0] < logits[$1] }!) }

/// Hearth beside two independent programs on the same model: an f32 numpy forward pass, and llama.cpp.
@Suite(
    .serialized,
    .enabled(
        if: TestPaths.model != nil && TestPaths.parity != nil, "model or Tests/parity/reference.py's output is missing")
)
struct ParityTests {
    struct Reference: Decodable {
        struct Prompt: Decodable {
            let text: String
            let ids: [Int32]
            let logprobs: [Double]
        }
        struct Passage: Decodable {
            let ids: [Int32]
            /// llama.cpp's answers: on the file as it is, and on its weights widened to f32.
            let stored: [Answer]
            let widened: [Answer]
        }
        struct Answer: Decodable {
            /// The most likely token; -1 for an end of generation.
            let best: Int32
            /// Another token's log-probability.
            let scored: Int32
            let logprob: Double
        }
        let prompts: [Prompt]
        let passages: [Passage]
    }

    private func reference() throws -> Reference {
        let path = try #require(TestPaths.parity)
        return try JSONDecoder().decode(Reference.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    }

    private func language(_ selector: String, _ activations: LanguageModel.Activations = .int8) throws -> LanguageModel
    {
        try LanguageModel(
            path: try #require(TestPaths.model), device: try TestDevices.device(selector), contextLength: 2048,
            activations: activations)
    }

    @Test(arguments: TestDevices.selectors)
    func logProbabilitiesMatchNumpy(selector: String) throws {
        let language = try language(selector, .f32)
        var worst = 0.0
        let prompts = try reference().prompts
        #expect(prompts.count == (ProcessInfo.processInfo.environment["HEARTH_TEST_MODEL"] == nil ? 20 : 0))
        for prompt in prompts {
            #expect(language.tokenizer.encode(prompt.text, parsesControl: true) == prompt.ids)
            let rows = try DecodeSession(language, capacity: prompt.ids.count).score(prompt.ids)
            for (index, expected) in prompt.logprobs.enumerated() {
                worst = max(worst, abs(logProbability(rows[index], prompt.ids[index + 1]) - expected))
            }
        }
        print("parity \(selector): largest log-probability difference from numpy f32 is \(worst)")
        #expect(worst <= 1e-3)
    }

    /// llama.cpp computes in f32 when the weights are f32, and rounds activations to 8 bits when they are quantised: each is
    /// held against the same choice of Hearth's. Where both round they part by what rounding costs, since the least difference
    /// before a rounding becomes one of a whole step after it; so Hearth's own rounding is also held against Hearth without it.
    @Test func answersAgreeWithLlamaCpp() throws {
        var (stored, widened, rounding) = (Agreement(), Agreement(), Agreement())
        /// How far llama.cpp's rounding takes it from itself.
        var (alike, total) = (0, 0)
        let (rounded, exact) = (try language("cpu", .int8), try language("cpu", .f32))
        for passage in try reference().passages {
            let ids = passage.ids
            let exactRows = try DecodeSession(exact, capacity: ids.count).score(ids)
            let rows = try DecodeSession(rounded, capacity: ids.count, cache: .f16).score(ids)
            for (at, answer) in passage.stored.enumerated() {
                stored.add(rows[at], answer, exact)
                widened.add(exactRows[at], passage.widened[at], exact)
                (alike, total) = (alike + (answer.best == passage.widened[at].best ? 1 : 0), total + 1)
                let own = Reference.Answer(
                    best: likeliest(exactRows[at]), scored: answer.scored,
                    logprob: logProbability(exactRows[at], answer.scored))
                rounding.add(rows[at], own, exact)
            }
        }
        let own = Double(alike) / Double(total)
        print(
            "parity: of \(stored.total) positions, top-1 agreement and mean difference of log-probabilities: with llama.cpp \(widened) widened to f32, \(stored) as stored; Hearth with rounding and without \(rounding); llama.cpp with rounding and without \(String(format: "%.1f %%", own * 100))"
        )
        #expect(stored.total >= 1000 && widened.share >= 0.98 && widened.meanDifference <= 0.02)
        // Two roundings apart it can be no nearer than llama.cpp's one takes it from itself.
        #expect(stored.share >= min(0.95, own - 0.01) && rounding.share >= 0.95)
    }

    private struct Agreement: CustomStringConvertible {
        var (agreed, total, difference) = (0, 0, 0.0)
        var share: Double { Double(agreed) / Double(total) }
        var meanDifference: Double { difference / Double(total) }
        var description: String {
            "\(String(format: "%.1f %%, %.4f", share * 100, meanDifference))"
        }

        mutating func add(_ row: [Float], _ answer: Reference.Answer, _ language: LanguageModel) {
            let own = likeliest(row)
            total += 1
            // llama.cpp reports an end of generation as no token.
            if own == answer.best || answer.best == -1 && language.tokenizer.bytes(of: own).isEmpty { agreed += 1 }
            difference += abs(logProbability(row, answer.scored) - answer.logprob)
        }
    }

    @Test(arguments: TestDevices.selectors)
    func greedyDecodingRepeatsBitForBit(selector: String) throws {
        let language = try language(selector)
        let request = GenerationRequest(prompt: "The three primary colours are", maxTokens: 6)
        let runs = try (0..<2).map { _ in try language.generate(request).tokenIDs }
        #expect(runs[0] == runs[1] && runs[0].count == 6)
        let ids = language.tokenizer.encode("Water boils at")
        let logits = try (0..<2).map { _ in
            try DecodeSession(language, capacity: 16).score(ids).flatMap { $0.map(\.bitPattern) }
        }
        #expect(logits[0] == logits[1])
    }

    /// Single tokens across the border of two splits, where a step is recorded anew, beside the CPU's.
    @Test(arguments: TestDevices.vulkan)
    func recordedStepsFollowTheSequence(selector: String) throws {
        let ids = try reference().passages.flatMap(\.ids)
        let (before, steps) = (Array(ids[..<510]), Array(ids[510..<514]))
        func logits(_ selector: String) throws -> [[Float]] {
            let session = try DecodeSession(try language(selector, .f32), capacity: 600)
            _ = try session.advance(before, .largest)
            return try steps.map {
                guard case .logits(let logits) = try session.advance([$0], .logits).0 else { return [] }
                return logits
            }
        }
        for (one, other) in zip(try logits(selector), try logits("cpu")) {
            let worst = zip(one, other).map { abs($0 - $1) }.max()
            #expect(one.count == other.count && worst! < 0.01)
        }
    }

    /// What the device keeps of the logits is what they have at the top, in a recorded step too.
    @Test(arguments: TestDevices.selectors)
    func likeliestAreTheTopOfTheLogits(selector: String) throws {
        let language = try language(selector)
        let (all, some) = (try DecodeSession(language, capacity: 8), try DecodeSession(language, capacity: 8))
        for ids: [Int32] in [[504, 357], [260], [2]] {
            guard case .logits(let logits) = try all.advance(ids, .logits).0,
                case .likeliest(let top) = try some.advance(ids, .likeliest(40)).0
            else {
                Issue.record("another kind of answer")
                return
            }
            let order = logits.indices.sorted { (logits[$0], $1) > (logits[$1], $0) }.prefix(40)
            #expect(top.map(\.id) == order.map(Int32.init) && top.map(\.logit) == order.map { logits[$0] })
        }
    }

    @Test func contextEndsWithAnError() throws {
        let session = try DecodeSession(try language("cpu"), capacity: 8)
        #expect(throws: DeviceError.self) { try session.advance([1, 2, 3, 4, 5, 6, 7, 8, 9], .largest) }
        _ = try session.advance([1, 2, 3, 4, 5, 6, 7, 8], .largest)
        #expect(throws: DeviceError.self) { try session.advance([9], .likeliest(3)) }
    }

    @Test func sameSeedGivesSameText() throws {
        let language = try language("cpu")
        let options = SamplingOptions(temperature: 0.9, topK: 40, topP: 0.95, minP: 0.02, seed: 7)
        let request = GenerationRequest(prompt: "Once upon a time", maxTokens: 24, sampling: options)
        #expect(try language.generate(request).text == language.generate(request).text)
    }

    @Test func contextOverflowSaysHowMuch() throws {
        let language = try language("cpu")
        do { _ = try language.generate(.init(prompt: "Hello", maxTokens: 5000)) } catch let error as GenerationError {
            return #expect(error.description.contains("2048"))
        }
        Issue.record("generated past the context")
    }
}

@Suite struct SamplerTests {
    @Test func greedyTakesTheFirstLargest() {
        var sampler = Sampler(.init())
        #expect(sampler.next(.logits([1, 3, 3, 2])) == 1)
    }

    @Test func filtersKeepTheLikely() {
        let logits: [Float] = [0, 1, 5, 4, -2]
        var topK = Sampler(.init(temperature: 5, topK: 2, seed: 1))
        #expect(Set((0..<200).map { _ in topK.next(.logits(logits)) }) == [2, 3])
        var topP = Sampler(.init(temperature: 5, topP: 0.5, seed: 1))
        #expect(Set((0..<200).map { _ in topP.next(.logits(logits)) }) == [2])
        var minP = Sampler(.init(temperature: 5, minP: 0.3, seed: 1))
        #expect(Set((0..<200).map { _ in minP.next(.logits(logits)) }) == [2, 3])
    }

    /// The k largest from the device lead to the same draws as all logits.
    @Test func candidatesDrawAsLogitsDo() {
        let logits: [Float] = [0, 1, 5, 4, -2, 4]
        let options = SamplingOptions(temperature: 2, topK: 3, topP: 0.9, minP: 0.1, seed: 5)
        let largest = [(2, 5), (3, 4), (5, 4)].map { Candidate(id: $0, logit: $1) }
        var (one, other) = (Sampler(options), Sampler(options))
        for _ in 0..<200 { #expect(one.next(.logits(logits)) == other.next(.likeliest(largest))) }
    }

    @Test func frequenciesFollowTheSoftmax() {
        var sampler = Sampler(.init(temperature: 1, seed: 3))
        let logits: [Float] = [log(0.7), log(0.2), log(0.1)]
        var counts = [0, 0, 0]
        for _ in 0..<20_000 { counts[Int(sampler.next(.logits(logits)))] += 1 }
        #expect(abs(Double(counts[0]) / 20_000 - 0.7) < 0.02 && abs(Double(counts[2]) / 20_000 - 0.1) < 0.02)
    }

    @Test(arguments: [(-1.0, 0, 1.0, 0.0), (.nan, 0, 1, 0), (1, -1, 1, 0), (1, 0, 0, 0), (1, 0, 1.5, 0), (1, 0, 1, 2)])
    func impossibleOptionsAreNamed(temperature: Double, topK: Int, topP: Double, minP: Double) {
        #expect(SamplingOptions(temperature: temperature, topK: topK, topP: topP, minP: minP).problem != nil)
    }
}
