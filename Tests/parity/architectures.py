"""Every architecture beside llama.cpp, on small models with random weights: log-probabilities of the next token, and embeddings.

    architectures.py HEARTH

For llama, qwen2, qwen3, gemma3 and gpt2 a file of a few hundred kB is written (f32, a window of 8 keys, heads that are shared
and wider than width / heads where the family allows it), and both programs say how likely the next token is after prompts of
1 to 150 tokens; then both make embeddings of them, the mean over tokens. Prints the largest difference of each.
"""
import os
import sys
import tempfile

import gguf
import numpy as np
import xllamacpp

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "serve"))
from common import Server, post

WIDTH, FFN, LAYERS, HEADS, KV_HEADS, CONTEXT = 64, 96, 7, 4, 2, 256


def vocabulary():
    """Words that are text each: llama.cpp gives no probabilities for parts of characters. The newline it looks for is there."""
    letters = [chr(c) for c in range(33, 127)]
    return (["\u010a"] + letters + [a + b for a in letters for b in "xyz"])[:257] + ["<|end|>"]


def write(name, path, seed):
    random = np.random.default_rng(seed)
    w = gguf.GGUFWriter(path, name)
    dim = 32 if name in ("qwen3", "gemma3") else WIDTH // HEADS
    kv_heads = HEADS if name == "gpt2" else KV_HEADS
    tokens = vocabulary()
    w.add_block_count(LAYERS)
    w.add_context_length(CONTEXT)
    w.add_embedding_length(WIDTH)
    w.add_feed_forward_length(FFN)
    w.add_head_count(HEADS)
    if name != "gpt2":
        w.add_head_count_kv(kv_heads)
        w.add_layer_norm_rms_eps(1e-5)
        w.add_rope_freq_base(500000.0)
        w.add_key_length(dim)
        w.add_value_length(dim)
    else:
        w.add_layer_norm_eps(1e-5)
    if name == "gemma3":
        w.add_sliding_window(8)
        w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        w.add_rope_scaling_factor(8.0)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(tokens)
    w.add_token_types([1] * 257 + [3])
    w.add_token_merges(["! x"])
    w.add_eos_token_id(257)
    w.add_bos_token_id(257)
    w.add_add_bos_token(False)

    def add(tensor, *shape, scale=None, around=0.0):
        scale = scale if scale is not None else 1.5 / shape[-1] ** 0.5
        w.add_tensor(tensor, (around + random.normal(0, scale, shape)).astype(np.float32))

    def norm(tensor, width, bias=False):
        add(tensor + ".weight", width, scale=0.2, around=1.0)
        if bias:
            add(tensor + ".bias", width, scale=0.2)

    is_gpt2 = name == "gpt2"
    add("token_embd.weight", len(tokens), WIDTH, scale=1.0)
    norm("output_norm", WIDTH, is_gpt2)
    if name in ("llama", "qwen2", "gpt2"):
        add("output.weight", len(tokens), WIDTH)
    if is_gpt2:
        add("position_embd.weight", CONTEXT, WIDTH, scale=0.5)
    for i in range(LAYERS):
        b = "blk.%d." % i
        norm(b + "attn_norm", WIDTH, is_gpt2)
        norm(b + "ffn_norm", WIDTH, is_gpt2)
        if is_gpt2:
            add(b + "attn_qkv.weight", 3 * WIDTH, WIDTH)
            add(b + "attn_qkv.bias", 3 * WIDTH, scale=0.3)
        else:
            for part, heads in (("q", HEADS), ("k", kv_heads), ("v", kv_heads)):
                add(b + "attn_%s.weight" % part, heads * dim, WIDTH)
                if name == "qwen2":
                    add(b + "attn_%s.bias" % part, heads * dim, scale=0.5)
        add(b + "attn_output.weight", WIDTH, HEADS * dim)
        add(b + "ffn_up.weight", FFN, WIDTH)
        add(b + "ffn_down.weight", WIDTH, FFN)
        if is_gpt2:
            for part, width in (("attn_output", WIDTH), ("ffn_up", FFN), ("ffn_down", WIDTH)):
                add(b + part + ".bias", width, scale=0.3)
        else:
            add(b + "ffn_gate.weight", FFN, WIDTH)
        if name in ("qwen3", "gemma3"):
            norm(b + "attn_q_norm", dim)
            norm(b + "attn_k_norm", dim)
        if name == "gemma3":
            norm(b + "post_attention_norm", WIDTH)
            norm(b + "post_ffw_norm", WIDTH)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    program = sys.argv[1]
    folder = tempfile.mkdtemp()
    ids = np.random.default_rng(7).integers(1, 257, 150).tolist()
    lines, total, servers = [], 0, []
    for seed, name in enumerate(("llama", "qwen2", "qwen3", "gemma3", "gpt2")):
        path = "%s/%s.gguf" % (folder, name)
        write(name, path, seed)
        params = xllamacpp.CommonParams()
        params.model.path, params.n_ctx, params.n_parallel, params.warmup = path, CONTEXT, 1, False
        # Its flash attention rounds to f16.
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        servers.append(xllamacpp.Server(params))
        peer = servers[-1].listening_address
        params.embedding, params.pooling_type = True, xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        params.n_batch = params.n_ubatch = CONTEXT
        servers.append(xllamacpp.Server(params))
        embedding_peer = servers[-1].listening_address
        worst = furthest = 0.0
        with Server(program, path, "--cache", "f32", "--cache-memory", "64", "--max-sequences", "4") as server:
            for n in (1, 2, 5, 8, 9, 17, 40, 64, 65, 66, 130, 150):
                theirs = post(peer + "/completion", {"prompt": ids[:n], "n_predict": 1, "n_probs": 20, "temperature": 0,
                                                     "cache_prompt": False, "post_sampling_probs": False})
                theirs = {t["id"]: t["logprob"] for t in theirs["completion_probabilities"][0]["top_logprobs"]}
                # By rank, not by token: single bytes are no text, and this is what both give.
                mine = post(server.url + "/v1/completions", {"prompt": ids[:n], "max_tokens": 1, "temperature": 0, "logprobs": 20})
                mine = sorted(mine["choices"][0]["logprobs"]["top_logprobs"][0].values(), reverse=True)
                theirs = sorted(theirs.values(), reverse=True)
                count = min(len(mine), len(theirs), 5)
                worst = max(worst, max(abs(a - b) for a, b in zip(mine[:count], theirs[:count])))
                total += 1
                texts = {"input": ids[:n], "encoding_format": "float"}
                mine, theirs = (post(url + "/v1/embeddings", texts)["data"][0]["embedding"] for url in (server.url, embedding_peer))
                furthest = max(furthest, max(abs(a - b) for a, b in zip(mine, theirs)))
        lines.append("%s %.1e, %.1e" % (name, worst, furthest))
        # llama.cpp looks GELU up in a table of f16.
        if not max(worst, furthest) <= (5e-3 if name in ("gemma3", "gpt2") else 1e-4):
            raise SystemExit("FAILED: %s differs by %g, its embeddings by %g, from llama.cpp" % (name, worst, furthest))
    print("%d prompts, largest difference from llama.cpp of log-probabilities and of embeddings: %s" % (total, "; ".join(lines)))

    sys.stdout.flush()
    # llama.cpp's servers wait for ever for each other's threads at the end.
    os._exit(0)


main()
