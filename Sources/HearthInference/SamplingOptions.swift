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
    /// Positive logits of tokens that occur among the last 64 are divided by it, negative ones multiplied; 1 changes nothing.
    ///
    /// - Source: Keskar et al., arXiv 1909.05858.
    public var repetitionPenalty = 1.0
    /// Taken from the logits of tokens generated before: once, and for every time.
    public var presencePenalty = 0.0
    public var frequencyPenalty = 0.0
    /// Added to the logits of these tokens.
    public var logitBias: [Int32: Double] = [:]

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
        if !(0...1 << 24).contains(topK) { return "top-k \(topK) is not in 0...2^24" }
        if !(topP > 0 && topP <= 1) { return "top-p \(topP) is not in (0, 1]" }
        if !(minP >= 0 && minP <= 1) { return "min-p \(minP) is not in [0, 1]" }
        if !(repetitionPenalty >= 0.01 && repetitionPenalty <= 100) {
            return "repetition penalty \(repetitionPenalty) is not in [0.01, 100]"
        }
        for (name, value) in [("presence", presencePenalty), ("frequency", frequencyPenalty)]
        where !(value >= -2 && value <= 2) {
            return "\(name) penalty \(value) is not in [-2, 2]"
        }
        if let bias = logitBias.first(where: { !($0.value >= -100 && $0.value <= 100) }) {
            return "logit bias \(bias.value) of token \(bias.key) is not in [-100, 100]"
        }
        return nil
    }

    /// Whether logits are changed before anything is chosen.
    var adjusts: Bool {
        repetitionPenalty != 1 || presencePenalty != 0 || frequencyPenalty != 0 || !logitBias.isEmpty
    }
}
