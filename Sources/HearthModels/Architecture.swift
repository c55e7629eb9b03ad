import HearthKernels

/// What sets one family of decoders apart, as data over shared blocks; `Transformer` is the one forward pass.
///
/// Every family is `x += attention(norm(x)); x += feedForward(norm(x))` with causal grouped-query attention.
public struct Architecture: Sendable, Hashable {
    /// LayerNorm has biases, RMSNorm none.
    public enum Norm: Sendable { case rms, layer }
    /// How a token's place gets into its state.
    public enum Positions: Sendable, Hashable { case rotary(RoPE.Layout), learned }
    /// `down(activation(gate(x)) * up(x))`, or `down(activation(up(x)))`.
    public enum FeedForward: Sendable, Hashable { case gated(GEMM.Activation), plain(GEMM.Activation) }

    /// As in `general.architecture`.
    public let name: String
    public var norm = Norm.rms
    public var positions = Positions.rotary(.halfSplit)
    public var feedForward = FeedForward.gated(.silu)
    /// Q, K and V lie in one tensor, in that order.
    public var hasFusedQKV = false
    /// Heads of Q and K are normalised before they are rotated.
    public var hasHeadNorms = false
    /// What a block adds to the stream is normalised first.
    public var hasPostNorms = false
    /// Embeddings are multiplied with the square root of the width.
    public var scalesEmbedding = false
    /// Of so many layers all but the last see a sliding window only, with their own rotation; nil: every layer sees all.
    public var windowPeriod: Int?

    /// Touvron et al., arXiv 2302.13971. GGUF's converter orders Q and K so that rotation is over interleaved pairs.
    public static let llama = Self(name: "llama", positions: .rotary(.interleaved))
    /// Qwen Team, arXiv 2407.10671: biases on Q, K and V.
    public static let qwen2 = Self(name: "qwen2")
    /// Qwen Team, arXiv 2505.09388.
    public static let qwen3 = Self(name: "qwen3", hasHeadNorms: true)
    /// Gemma Team, arXiv 2503.19786.
    public static let gemma3 = Self(
        name: "gemma3", feedForward: .gated(.gelu), hasHeadNorms: true, hasPostNorms: true, scalesEmbedding: true,
        windowPeriod: 6)
    /// Radford et al., "Language Models are Unsupervised Multitask Learners", 2019.
    public static let gpt2 = Self(
        name: "gpt2", norm: .layer, positions: .learned, feedForward: .plain(.gelu), hasFusedQKV: true)

    /// Files do not say so, but gemma3's largest model scales scores by `width / heads`, which is not the width of its heads.
    func scoreScale(layers: Int, width: Int, heads: Int) -> Float? {
        name == "gemma3" && layers == 62 ? 1 / (Float(width) / Float(heads)).squareRoot() : nil
    }

    public static let all = [llama, qwen2, qwen3, gemma3, gpt2]
}
