import Foundation

/// A small llama as Hugging Face publishes models, all zeros, to be changed before it is written.
public struct HuggingFaceWriter {
    public var config: [String: Any] = [
        "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 64, "max_position_embeddings": 128, "tie_word_embeddings": true,
    ]
    public var tokenizer: [String: Any] = [
        "added_tokens": [["id": 4, "content": "<end>", "special": true]],
        "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false],
        "model": ["type": "BPE", "vocab": ["a": 0, "b": 1, "ab": 2, "c": 3], "merges": ["a b"]] as [String: Any],
    ]
    /// Name, shape and type; two bytes an element.
    public var tensors: [(name: String, shape: [Int], type: String)] = [
        ("model.embed_tokens.weight", [6, 64], "F16"), ("model.norm.weight", [64], "BF16"),
    ]
    public var files: [String: Data] = [:]

    public init() {
        let block = "model.layers.0."
        for part in ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"] {
            tensors.append((block + part + ".weight", [64, 64], "F16"))
        }
        for part in ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"] {
            tensors.append((block + part + ".weight", [64, 64], "BF16"))
        }
        for part in ["input_layernorm", "post_attention_layernorm"] {
            tensors.append((block + part + ".weight", [64], "F16"))
        }
    }

    /// The folder's files; those of `files` instead of its own.
    public func write(to folder: String) throws {
        var all = ["model.safetensors": safetensors]
        all["config.json"] = try JSONSerialization.data(withJSONObject: config)
        all["tokenizer.json"] = try JSONSerialization.data(withJSONObject: tokenizer)
        for (name, data) in all.merging(files, uniquingKeysWith: { $1 }) {
            try data.write(to: URL(fileURLWithPath: folder).appending(path: name))
        }
    }

    private var safetensors: Data {
        var entries: [String] = []
        var end = 0
        for tensor in tensors {
            let next = end + 2 * tensor.shape.reduce(1, *)
            entries.append(
                #""\#(tensor.name)":{"dtype":"\#(tensor.type)","shape":\#(tensor.shape),"data_offsets":[\#(end),\#(next)]}"#
            )
            end = next
        }
        let header = Data("{\(entries.joined(separator: ","))}".utf8)
        return withUnsafeBytes(of: UInt64(header.count)) { Data($0) } + header + Data(count: end)
    }
}
