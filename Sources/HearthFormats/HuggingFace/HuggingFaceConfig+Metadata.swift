import Foundation

extension HuggingFaceConfig {
    /// GGUF's keys for what config.json says.
    ///
    /// - Throws: `FormatError` naming the field that asks for what Hearth does not compute.
    func metadata(_ family: HuggingFaceFamily) throws(FormatError) -> ModelMetadata {
        try checkSupported(family)
        let name = family.architecture
        var values: [String: GGUFValue] = ["general.architecture": .string(name)]
        func set(_ key: String, _ number: Int?) { values["\(name).\(key)"] = number.map { .unsigned(UInt64($0)) } }
        func set(_ key: String, _ number: Double?) { values["\(name).\(key)"] = number.map { .float($0) } }
        let width = try required("hidden_size", "n_embd")
        let heads = try required("num_attention_heads", "n_head")
        set("block_count", try required("num_hidden_layers", "n_layer"))
        set("embedding_length", width)
        let inner = try integer("intermediate_size", "n_inner")
        set("feed_forward_length", inner ?? 4 * min(width, 1 << 32))
        set("attention.head_count", heads)
        set("attention.head_count_kv", try integer("num_key_value_heads"))
        set("context_length", try required("max_position_embeddings", "n_positions"))
        set("attention.layer_norm_rms_epsilon", try number("rms_norm_eps") ?? 1e-6)
        set("attention.layer_norm_epsilon", try number("layer_norm_epsilon") ?? 1e-5)
        set("attention.key_length", try integer("head_dim"))
        set("attention.scale", try number("query_pre_attn_scalar").map { 1 / $0.squareRoot() })
        if family.windowPeriod != nil { set("attention.sliding_window", try integer("sliding_window")) }
        set("final_logit_softcapping", try number("final_logit_softcapping"))
        set("attn_logit_softcapping", try number("attn_logit_softcapping"))
        for (key, value) in try rotation(width: width, heads: heads) {
            values["\(name).\(key)"] = value
        }
        return ModelMetadata(file: file, values: values)
    }

    private func rotation(width: Int, heads: Int) throws(FormatError) -> [String: GGUFValue] {
        // Since version 5 of transformers all of it is in one object, in gemma3 in an object a kind of layer.
        let whole = try part("rope_parameters")
        let (nested, local) = (try whole?.part("full_attention"), try whole?.part("sliding_attention"))
        let full = nested ?? whole
        let (inPart, here) = (try full?.number("rope_theta"), try number("rope_theta"))
        let (inLocal, localHere) = (try local?.number("rope_theta"), try number("rope_local_base_freq"))
        let base = inPart ?? here ?? 10000
        var values: [String: GGUFValue] = [
            "rope.freq_base": .float(base), "rope.freq_base_swa": .float(inLocal ?? localHere ?? 10000),
        ]
        let older = try part("rope_scaling")
        if let scaling = full ?? older {
            let headDim = try integer("head_dim") ?? width / max(1, heads)
            values.merge(try scaling.ropeScaling(headDim: headDim, base: base)) { $1 }
        }
        return values
    }

    /// Of an object that describes how rotation was stretched to longer contexts.
    private func ropeScaling(headDim: Int, base: Double) throws(FormatError) -> [String: GGUFValue] {
        let key = self["rope_type"] == nil ? "type" : "rope_type"
        let type = self[key] == nil ? "default" : try string(key)
        func required(_ key: String) throws(FormatError) -> Double {
            guard let value = try number(key), value > 0 else { throw error(key, "expected a positive number") }
            return value
        }
        switch type {
        case "default": return [:]
        case "linear":
            return ["rope.scaling.type": .string("linear"), "rope.scaling.factor": .float(try required("factor"))]
        case "llama3":
            let (factor, context) = (try required("factor"), try required("original_max_position_embeddings"))
            let (low, high) = (try required("low_freq_factor"), try required("high_freq_factor"))
            guard high > low else { throw error("high_freq_factor", "is not above low_freq_factor") }
            guard headDim <= 1 << 16 else { throw error(key, "heads of \(headDim) are impossible") }
            let factors = (0..<headDim / 2).map { pair in
                // Turns that the pair makes over the context it was trained with.
                let turns = context * pow(base, -2 * Double(pair) / Double(headDim)) / (2 * .pi)
                let share = min(1, max(0, (turns - low) / (high - low)))
                return 1 / ((1 - share) / factor + share)
            }
            return ["rope.scaling.factors": .floats(factors)]
        default: throw error(key, "'\(type.prefix(40))' is not supported; supported: default, linear, llama3")
        }
    }

    private func checkSupported(_ family: HuggingFaceFamily) throws(FormatError) {
        let key = ["hidden_activation", "hidden_act", "activation_function"].first { self[$0] != nil }
        if let key, try string(key) != family.activation {
            throw error(key, "'\(try string(key).prefix(40))' is not supported, only '\(family.activation)'")
        }
        if self["quantization_config"] != nil {
            throw error("quantization_config", "quantised weights are read from GGUF files only")
        }
        func refuse(_ key: String, unless flag: Bool) throws(FormatError) {
            if try bool(key, default: flag) != flag { throw error(key, "\(!flag) is not supported") }
        }
        try refuse("use_sliding_window", unless: false)
        try refuse("use_bidirectional_attention", unless: false)
        try refuse("scale_attn_weights", unless: true)
        try refuse("scale_attn_by_inverse_layer_idx", unless: false)
        if let share = try number("partial_rotary_factor"), share != 1 {
            throw error("partial_rotary_factor", "only rotation of whole heads is supported")
        }
        if let period = family.windowPeriod {
            let given = try integer("sliding_window_pattern", "_sliding_window_pattern") ?? period
            let kinds = self["layer_types"]?.array?.enumerated().map { index, kind in
                kind.string == (index % period < period - 1 ? "sliding_attention" : "full_attention")
            }
            guard given == period, kinds?.allSatisfy({ $0 }) ?? true else {
                throw error("layer_types", "only every \(period)th layer without a window is supported")
            }
        } else if self["use_sliding_window"] == nil, let window = try integer("sliding_window"),
            let context = try integer("max_position_embeddings"), window < context
        {
            throw error("sliding_window", "a window of \(window) is not supported in this family")
        }
    }
}
