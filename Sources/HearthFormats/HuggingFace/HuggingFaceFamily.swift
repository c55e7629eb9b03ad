/// What one family's folders call things, and what they leave unsaid.
struct HuggingFaceFamily: Sendable {
    /// As in `general.architecture`.
    let architecture: String
    let modelTypes: [String]
    let activation: String
    /// Here and in `defaults`: what transformers' configuration class means where config.json is silent.
    let tiesEmbeddings: Bool
    var defaults: [String: Double] = [:]
    /// As in `Architecture`: so many layers, the last of them without a window.
    var windowPeriod: Int?
    /// Normalisations store what is to be added to 1.
    var hasNormsAboveOne = false
    /// Matrices are stored `[in, out]`.
    var hasTransposedMatrices = false
    /// Of a block's parts.
    let parts: [String: String]
    let tensors: [String: String]

    private static let modern = [
        "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
        "self_attn.k_norm": "attn_k_norm", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    ]
    private static let modernTensors = ["embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output"]

    static let all = [
        Self(
            architecture: "llama", modelTypes: ["llama", "mistral"], activation: "silu", tiesEmbeddings: false,
            parts: modern, tensors: modernTensors),
        Self(
            architecture: "qwen2", modelTypes: ["qwen2"], activation: "silu", tiesEmbeddings: false, parts: modern,
            tensors: modernTensors),
        Self(
            architecture: "qwen3", modelTypes: ["qwen3"], activation: "silu", tiesEmbeddings: false,
            defaults: ["head_dim": 128], parts: modern, tensors: modernTensors),
        Self(
            architecture: "gemma3", modelTypes: ["gemma3_text"], activation: "gelu_pytorch_tanh", tiesEmbeddings: true,
            defaults: [
                "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26, "num_attention_heads": 8,
                "num_key_value_heads": 4, "head_dim": 256, "max_position_embeddings": 131_072, "sliding_window": 4096,
                "query_pre_attn_scalar": 256, "rope_theta": 1_000_000,
            ], windowPeriod: 6, hasNormsAboveOne: true,
            parts: modern.merging(
                [
                    "post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm",
                    "post_feedforward_layernorm": "post_ffw_norm",
                ]) { $1 }, tensors: modernTensors),
        Self(
            architecture: "gpt2", modelTypes: ["gpt2"], activation: "gelu_new", tiesEmbeddings: true,
            hasTransposedMatrices: true,
            parts: [
                "ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm",
                "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
            ], tensors: ["wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm", "lm_head": "output"]),
    ]

    /// What wraps a language model's names: a family's own prefix, or a model that also sees pictures.
    private static let prefixes = ["language_model.", "model.language_model.", "model.", "transformer."]
    /// Not of the language model; a causal mask that old files store.
    private static let ignored = [
        "vision_tower.", "multi_modal_projector.", "model.vision_tower.", "model.multi_modal_projector.",
    ]
    private static let masks = [".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq"]

    /// The name that GGUF has for tensor `stored`, or its own where there is none; nil where the model does not need it.
    func place(of stored: String) -> (name: String, layout: StoredTensor.Layout)? {
        if Self.ignored.contains(where: stored.hasPrefix) || Self.masks.contains(where: stored.hasSuffix) { return nil }
        var name = Substring(stored)
        while let prefix = Self.prefixes.first(where: name.hasPrefix) { name = name.dropFirst(prefix.count) }
        guard let dot = name.lastIndex(of: ".") else { return (stored, .asIs) }
        let (owner, kind) = (name[..<dot], name[name.index(after: dot)...])
        guard kind == "weight" || kind == "bias" else { return (stored, .asIs) }
        if let known = tensors[String(owner)] { return ("\(known).\(kind)", layout(known, isWeight: kind == "weight")) }
        // `layers.7.mlp.up_proj`, `h.7.mlp.c_fc`
        let pieces = owner.split(separator: ".", maxSplits: 2)
        guard pieces.count == 3, pieces[0] == "layers" || pieces[0] == "h", let index = Int(pieces[1]),
            let known = parts[String(pieces[2])]
        else { return (stored, .asIs) }
        return ("blk.\(index).\(known).\(kind)", layout(known, isWeight: kind == "weight"))
    }

    private func layout(_ name: String, isWeight: Bool) -> StoredTensor.Layout {
        guard isWeight else { return .asIs }
        if name.hasSuffix("norm") { return hasNormsAboveOne ? .aboveOne : .asIs }
        return hasTransposedMatrices && !["token_embd", "position_embd", "output"].contains(name) ? .transposed : .asIs
    }
}
