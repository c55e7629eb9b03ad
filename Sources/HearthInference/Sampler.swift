import Foundation

/// How the next token is chosen from logits.
public struct SamplingOptions: Sendable, Hashable, Codable {
    /// 0 means greedy: the largest logit, the first of equals.
    public var temperature: Double
    /// Keep the k largest; 0 keeps all.
    public var topK: Int
    /// Keep the smallest set whose probability reaches p; 1 keeps all.
    public var topP: Double
    /// Drop what is less likely than this share of the likeliest; 0 drops none.
    public var minP: Double
    public var seed: UInt64

    public init(temperature: Double = 0, topK: Int = 0, topP: Double = 1, minP: Double = 0, seed: UInt64 = 0) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.seed = seed
    }

    /// What is wrong with the values; nil when nothing is.
    public var problem: String? {
        if !(temperature >= 0 && temperature.isFinite) { return "temperature \(temperature) is not a number from 0 up" }
        if topK < 0 { return "top-k \(topK) is negative" }
        if !(topP > 0 && topP <= 1) { return "top-p \(topP) is not in (0, 1]" }
        if !(minP >= 0 && minP <= 1) { return "min-p \(minP) is not in [0, 1]" }
        return nil
    }
}

/// Draws tokens; the same seed and logits give the same tokens on every machine.
///
/// The filters come in llama.cpp's order: top-k, top-p, min-p, then temperature.
public struct Sampler: Sendable {
    private let options: SamplingOptions
    private var state: UInt64

    public init(_ options: SamplingOptions) {
        self.options = options
        state = options.seed
    }

    private var isGreedy: Bool { options.temperature == 0 }

    /// What `next` needs.
    public var wanted: DecodeSession.Wanted {
        isGreedy ? .largest : options.topK > 0 ? .likeliest(options.topK) : .logits
    }

    public mutating func next(_ answer: DecodeSession.Answer) -> Int32 {
        switch answer {
        case .token(let id): return id
        case .likeliest(let candidates): return draw(filtered(candidates))
        case .logits(let logits):
            var sorted = logits.enumerated().map { DecodeSession.Candidate(id: Int32($0), logit: $1) }
            sorted.sort { ($0.logit, $1.id) > ($1.logit, $0.id) }
            return isGreedy ? sorted[0].id : draw(filtered(sorted))
        }
    }

    private mutating func draw(_ kept: ArraySlice<DecodeSession.Candidate>) -> Int32 {
        let largest = Double(kept.first!.logit)
        let weights = kept.map { exp((Double($0.logit) - largest) / options.temperature) }
        var point = uniform() * weights.reduce(0, +)
        for (candidate, weight) in zip(kept, weights) {
            point -= weight
            if point < 0 { return candidate.id }
        }
        return kept.last!.id
    }

    /// What the filters leave of candidates that come likeliest first; at least one.
    private func filtered(_ candidates: [DecodeSession.Candidate]) -> ArraySlice<DecodeSession.Candidate> {
        let sorted = options.topK > 0 ? candidates.prefix(options.topK) : candidates[...]
        guard options.topP < 1 || options.minP > 0 else { return sorted }
        let largest = Double(sorted[0].logit)
        let weights = sorted.map { exp(Double($0.logit) - largest) }
        let total = weights.reduce(0, +)
        var count = sorted.count
        if options.topP < 1 {
            var sum = 0.0
            count = 0
            while count < weights.count, sum < options.topP * total {
                sum += weights[count]
                count += 1
            }
        }
        let likely = weights.prefix(count).prefix { $0 >= options.minP }.count
        return sorted.prefix(max(1, likely))
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
