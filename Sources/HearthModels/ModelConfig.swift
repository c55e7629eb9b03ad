import HearthFormats
import HearthKernels

/// The sizes of a model, in the literature's names.
public struct ModelConfig: Sendable, Hashable {
    public let architecture: Architecture
    public let layerCount: Int
    public let width: Int
    public let feedForwardWidth: Int
    public let headCount: Int
    public let kvHeadCount: Int
    public let headDim: Int
    public let contextLength: Int
    public let vocabularySize: Int
    public let normEpsilon: Float
    /// Of layers that see everything, and of those with a window.
    public let ropeBase, windowRopeBase: Double
    /// Positions are divided by this in layers that see everything.
    public let ropeScale: Double
    /// What each pair's angle is divided by, where that was stretched to longer contexts pair by pair.
    public let ropeFactors: [Float]?
    /// What scores are multiplied with; nil means `1 / sqrt(headDim)`.
    public let scoreScale: Float?
    /// Keys that a layer with a window sees.
    public let window: Int?
    /// Logits become `cap * tanh(logit / cap)`; scores likewise.
    public let logitSoftcap, scoreSoftcap: Float?

    /// Whether layer `index` sees a sliding window only.
    public func hasWindow(_ index: Int) -> Bool {
        guard window != nil, let period = architecture.windowPeriod else { return false }
        return index % period < period - 1
    }

    var queryWidth: Int { headCount * headDim }
    var kvWidth: Int { kvHeadCount * headDim }

    /// - Throws: `FormatError` naming the key whose value does not describe a model that Hearth runs.
    public init(_ source: ModelSource) throws(FormatError) {
        let metadata = source.metadata
        let name = try metadata.string("general.architecture")
        guard var architecture = Architecture.all.first(where: { $0.name == name }) else {
            let known = Architecture.all.map(\.name).joined(separator: ", ")
            throw FormatError(file: metadata.file, "architecture '\(name)' is not supported; supported: \(known)")
        }
        if source.rotatesHalves, case .rotary = architecture.positions { architecture.positions = .rotary(.halfSplit) }
        self.architecture = architecture
        func key(_ part: String) -> String { "\(name).\(part)" }
        func has(_ part: String) -> Bool { metadata[key(part)] != nil }
        func refuse(_ part: String, _ reason: String) -> FormatError {
            FormatError(file: metadata.file, "\(key(part)): \(reason)")
        }
        func number(_ part: String, else standard: Double) throws(FormatError) -> Double {
            has(part) ? try metadata.float(key(part)) : standard
        }
        layerCount = try metadata.integer(key("block_count"), minimum: 1)
        width = try metadata.integer(key("embedding_length"), minimum: 1)
        feedForwardWidth = try metadata.integer(key("feed_forward_length"), minimum: 1)
        headCount = try metadata.integer(key("attention.head_count"), minimum: 1)
        kvHeadCount =
            has("attention.head_count_kv")
            ? try metadata.integer(key("attention.head_count_kv"), minimum: 1) : headCount
        contextLength = try metadata.integer(key("context_length"), minimum: 1)
        let epsilon = architecture.norm == .rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon"
        normEpsilon = Float(try metadata.float(key(epsilon)))
        vocabularySize = source.tokenizer.vocabularySize

        if has("attention.key_length") {
            headDim = try metadata.integer(key("attention.key_length"), minimum: 1)
            if has("attention.value_length"), try metadata.integer(key("attention.value_length")) != headDim {
                throw refuse("attention.value_length", "values as wide as keys (\(headDim)) are supported only")
            }
        } else {
            guard width % headCount == 0 else {
                throw refuse("attention.head_count", "\(headCount) heads do not divide a width of \(width)")
            }
            headDim = width / headCount
        }
        guard headDim % 2 == 0, headDim <= 512 else {
            throw refuse("attention.key_length", "heads of \(headDim) are not even or wider than 512")
        }
        guard headCount % kvHeadCount == 0 else {
            throw refuse("attention.head_count_kv", "\(kvHeadCount) does not divide \(headCount) heads")
        }
        if has("rope.dimension_count"), try metadata.integer(key("rope.dimension_count")) != headDim {
            throw refuse("rope.dimension_count", "only rotation of whole heads (\(headDim)) is supported")
        }
        ropeBase = try number("rope.freq_base", else: 10000)
        windowRopeBase = try number("rope.freq_base_swa", else: 10000)
        switch metadata[key("rope.scaling.type")] {
        case .string("linear"): ropeScale = try number("rope.scaling.factor", else: 1)
        case .string("none"), nil: ropeScale = 1
        case .string(let scaling): throw refuse("rope.scaling.type", "'\(scaling)' is not supported")
        default: throw refuse("rope.scaling.type", "is not a string")
        }
        if case .floats(let factors)? = metadata[key("rope.scaling.factors")] {
            guard factors.count == headDim / 2 else {
                throw refuse("rope.scaling.factors", "\(factors.count) factors for heads of \(headDim)")
            }
            ropeFactors = factors.map { Float($0) }
        } else {
            ropeFactors = nil
        }
        if has("attention.scale") {
            scoreScale = Float(try metadata.float(key("attention.scale")))
        } else {
            scoreScale = architecture.scoreScale(layers: layerCount, width: width, heads: headCount)
        }
        window =
            architecture.windowPeriod != nil && has("attention.sliding_window")
            ? try metadata.integer(key("attention.sliding_window"), minimum: 1) : nil
        func cap(_ part: String) throws(FormatError) -> Float? {
            let value = try number(part, else: 0)
            return value > 0 ? Float(value) : nil
        }
        logitSoftcap = try cap("final_logit_softcapping")
        scoreSoftcap = try cap("attn_logit_softcapping")
        guard ropeBase > 0, windowRopeBase > 0, ropeScale > 0, normEpsilon >= 0 else {
            throw refuse("rope.freq_base", "bases and factors of the rotation are positive, epsilon is not negative")
        }
        guard layerCount <= 1024, contextLength <= 1 << 24, vocabularySize <= 1 << 24, width <= 1 << 20,
            feedForwardWidth <= 1 << 22, headCount <= 1 << 16
        else {
            throw refuse("block_count", "impossible sizes: \(layerCount) layers, context \(contextLength)")
        }
    }
}

extension Architecture.FeedForward {
    var isGated: Bool { if case .gated = self { true } else { false } }
    var activation: GEMM.Activation {
        switch self {
        case .gated(let activation), .plain(let activation): activation
        }
    }
}
