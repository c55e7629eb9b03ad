import Foundation
import HearthGrammar

/// Draws tokens; the same seed and logits give the same tokens on every machine.
///
/// Biases and penalties come first, then the filters in llama.cpp's order: top-k, top-p, min-p, then temperature.
public struct Sampler: Sendable {
    private let options: SamplingOptions
    private var state: UInt64
    /// What the penalties look at: the last tokens, prompt included, and how often each was generated.
    private var recent: [Int32] = []
    private var generated: [Int32: Int] = [:]

    private static let repetitionWindow = 64

    public init(_ options: SamplingOptions, prompt: [Int32] = []) {
        self.options = options
        state = options.seed
        recent = prompt.suffix(Self.repetitionWindow)
    }

    private var isGreedy: Bool { options.temperature == 0 }

    /// What `next` needs.
    package var wanted: BatchRunner.Wanted {
        options.adjusts ? .logits : isGreedy ? .largest : options.topK > 0 ? .likeliest(options.topK) : .logits
    }

    /// - Parameter matcher: what may follow; needs `.logits`.
    /// - Returns: nil where nothing may.
    package mutating func next(_ answer: BatchRunner.Answer, _ matcher: GrammarMatcher?) -> Int32? {
        var id = choose(answer)
        // Drawing again among what may come, where the first may not, gives every token the probability it has among those (with
        // filters nearly: they take the first draw from fewer).
        if let matcher, !matcher.allows(id) {
            guard case .logits(let logits) = answer, let other = choose(logits, among: matcher.mask()) else {
                return nil
            }
            id = other
        }
        note(id)
        return id
    }

    package mutating func next(_ answer: BatchRunner.Answer) -> Int32 {
        let id = choose(answer)
        note(id)
        return id
    }

    private mutating func note(_ id: Int32) {
        if options.adjusts {
            generated[id, default: 0] += 1
            recent.append(id)
            if recent.count > Self.repetitionWindow { recent.removeFirst() }
        }
    }

    private mutating func choose(_ logits: [Float], among mask: TokenMask) -> Int32? {
        if mask.isEmpty { return nil }
        var masked = logits
        for id in masked.indices where !mask.contains(Int32(id)) { masked[id] = -.infinity }
        let id = choose(.logits(masked))
        // Rounding may draw past the last that has a probability.
        return mask.contains(id) ? id : masked.indices.first { mask.contains(Int32($0)) }.map(Int32.init)
    }

    private mutating func choose(_ answer: BatchRunner.Answer) -> Int32 {
        switch answer {
        case .hidden: preconditionFailure("nothing to choose from")
        case .token(let id): return id
        case .likeliest(let candidates):
            return isGreedy ? candidates[0].id : draw(filtered(candidates[...], candidates))
        case .logits(var logits):
            adjust(&logits)
            if isGreedy { return Self.largest(logits) }
            if options.topK > 0 {
                let top = Self.likeliest(logits, options.topK)
                return draw(filtered(top[...], top))
            }
            // Few candidates hold the probability asked for, nearly always.
            let all = logits.enumerated().map { Candidate(id: Int32($0), logit: $1) }
            if options.topP == 1 { return draw(filtered(all[...], all)) }
            let top = Self.likeliest(logits, 256)
            let kept = filtered(top[...], all)
            if kept.count < top.count { return draw(kept) }
            let sorted = Self.likeliest(logits, logits.count)
            return draw(filtered(sorted[...], sorted))
        }
    }

    private func adjust(_ logits: inout [Float]) {
        guard options.adjusts else { return }
        if options.repetitionPenalty != 1 {
            let penalty = Float(options.repetitionPenalty)
            for id in Set(recent) where logits.indices.contains(Int(id)) {
                logits[Int(id)] = logits[Int(id)] > 0 ? logits[Int(id)] / penalty : logits[Int(id)] * penalty
            }
        }
        for (id, count) in generated where logits.indices.contains(Int(id)) {
            logits[Int(id)] -= Float(options.presencePenalty) + Float(options.frequencyPenalty) * Float(count)
        }
        for (id, bias) in options.logitBias where logits.indices.contains(Int(id)) { logits[Int(id)] += Float(bias) }
    }

    /// The first of the largest.
    private static func largest(_ logits: [Float]) -> Int32 {
        var (best, value) = (0, -Float.infinity)
        for (id, logit) in logits.enumerated() where logit > value { (best, value) = (id, logit) }
        return Int32(best)
    }

    /// The k largest, largest first, the first of equals first.
    static func likeliest(_ logits: [Float], _ k: Int) -> [Candidate] {
        func isBefore(_ a: Candidate, _ b: Candidate) -> Bool { (a.logit, b.id) > (b.logit, a.id) }
        var kept: [Candidate] = []
        // What is below the least of the best k seen so far is out; the rest is sorted when twice as many have come.
        var least = -Float.infinity
        for (id, logit) in logits.enumerated() where logit > least || kept.count < k {
            kept.append(Candidate(id: Int32(id), logit: logit))
            if kept.count >= 2 * k {
                kept.sort(by: isBefore)
                kept.removeSubrange(k...)
                least = kept.last!.logit
            }
        }
        kept.sort(by: isBefore)
        return Array(kept.prefix(k))
    }

    private mutating func draw(_ kept: ArraySlice<Candidate>) -> Int32 {
        let largest = kept.reduce(-Double.infinity) { max($0, Double($1.logit)) }
        let weights = kept.map { exp((Double($0.logit) - largest) / options.temperature) }
        var point = uniform() * weights.reduce(0, +)
        for (candidate, weight) in zip(kept, weights) {
            point -= weight
            if point < 0 { return candidate.id }
        }
        return kept.last!.id
    }

    /// What top-p and min-p leave of candidates; at least one. With top-p they come likeliest first, and their probabilities
    /// are those among `all`.
    private func filtered(_ candidates: ArraySlice<Candidate>, _ all: [Candidate]) -> ArraySlice<Candidate> {
        let top = options.topK > 0 ? candidates.prefix(options.topK) : candidates
        guard options.topP < 1 || options.minP > 0 else { return top }
        let largest = all.reduce(-Double.infinity) { max($0, Double($1.logit)) }
        func weight(_ candidate: Candidate) -> Double { exp(Double(candidate.logit) - largest) }
        var kept = top
        if options.topP < 1 {
            let total = (options.topK > 0 ? Array(top) : all).reduce(0) { $0 + weight($1) }
            var (sum, count) = (0.0, 0)
            for candidate in top where sum < options.topP * total {
                sum += weight(candidate)
                count += 1
            }
            // At least one, even where a broken model's logits are no numbers.
            kept = top.prefix(max(1, count))
        }
        let likely = options.minP > 0 ? kept.filter { weight($0) >= options.minP }[...] : kept
        return likely.isEmpty ? kept.prefix(1) : likely
    }

    /// SplitMix64 (Steele et al., 2014) to [0, 1).
    private mutating func uniform() -> Double {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return Double((z ^ (z >> 31)) >> 11) * 0x1p-53
    }
}
