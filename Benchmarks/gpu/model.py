"""Writes a llama of random weights as GGUF, Q8_0 but for the norms: model.py FILE [tiny]. About 3.0 billion weights, 3.2 GB: no
cache of a GPU holds them, so that a decode step reads them all from memory."""
import struct
import sys

import numpy as np

path, tiny = sys.argv[1], len(sys.argv) > 2
WIDTH, FFN, LAYERS, HEADS, KV_HEADS, VOCABULARY = (64, 96, 2, 4, 2, 512) if tiny else (3072, 8192, 28, 24, 8, 32768)
HEAD = WIDTH // HEADS
random = np.random.default_rng(1)
U32, F32, STRING, ARRAY, Q8_0, ALIGNMENT = 4, 6, 8, 9, 8, 32


def text(s):
    s = s.encode()
    return struct.pack("<Q", len(s)) + s


def value(v):
    if isinstance(v, str):
        return struct.pack("<I", STRING) + text(v)
    if isinstance(v, float):
        return struct.pack("<If", F32, v)
    if isinstance(v, int):
        return struct.pack("<II", U32, v)
    kind = STRING if isinstance(v[0], str) else 5
    items = b"".join(text(x) if kind == STRING else struct.pack("<i", x) for x in v)
    return struct.pack("<IIQ", ARRAY, kind, len(v)) + items


letters = [chr(c) for c in range(33, 127)]
tokens = (letters + [a + b for a in letters for b in letters] + [a + b + c for a in letters[:4] for b in letters for c in letters])[:VOCABULARY - 1]
metadata = {
    "general.architecture": "llama", "general.name": "random weights", "llama.block_count": LAYERS, "llama.context_length": 4096,
    "llama.embedding_length": WIDTH, "llama.feed_forward_length": FFN, "llama.attention.head_count": HEADS,
    "llama.attention.head_count_kv": KV_HEADS, "llama.attention.layer_norm_rms_epsilon": 1e-5, "llama.rope.freq_base": 500000.0,
    "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.tokens": tokens + ["<|end|>"],
    "tokenizer.ggml.token_type": [1] * len(tokens) + [3], "tokenizer.ggml.merges": ["! x"],
    "tokenizer.ggml.eos_token_id": len(tokens),
}
VOCABULARY = len(tokens) + 1
tensors = [("token_embd.weight", VOCABULARY, WIDTH), ("output.weight", VOCABULARY, WIDTH), ("output_norm.weight", WIDTH)]
for i in range(LAYERS):
    tensors += [("blk.%d.%s.weight" % (i, name), *shape) for name, shape in {
        "attn_norm": [WIDTH], "attn_q": [WIDTH, WIDTH], "attn_k": [KV_HEADS * HEAD, WIDTH], "attn_v": [KV_HEADS * HEAD, WIDTH],
        "attn_output": [WIDTH, WIDTH], "ffn_norm": [WIDTH], "ffn_gate": [FFN, WIDTH], "ffn_up": [FFN, WIDTH],
        "ffn_down": [WIDTH, FFN]}.items()]


def size(shape):
    return shape[0] * 4 if len(shape) == 1 else shape[0] * shape[1] // 32 * 34


# The same bytes serve every tensor, from a place that differs: random enough for a clock, quick to make.
blocks = np.zeros(1 << 20, dtype=[("scale", "<f2"), ("quants", "i1", 32)])
blocks["scale"] = random.uniform(0.5, 1.5, len(blocks)) * 1.7 / WIDTH ** 0.5 / 127
blocks["quants"] = random.integers(-127, 128, (len(blocks), 32))
pool = blocks.tobytes()
with open(path, "wb") as out:
    out.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)))
    for name, v in metadata.items():
        out.write(text(name) + value(v))
    offset = 0
    for name, *shape in tensors:
        out.write(text(name) + struct.pack("<I", len(shape)) + struct.pack("<%dQ" % len(shape), *reversed(shape)))
        out.write(struct.pack("<IQ", 0 if len(shape) == 1 else Q8_0, offset))
        offset += -(-size(shape) // ALIGNMENT) * ALIGNMENT
    for number, (name, *shape) in enumerate(tensors):
        out.write(b"\0" * (-out.tell() % ALIGNMENT))
        if len(shape) == 1:
            out.write(np.ones(shape[0], np.float32).tobytes())
            continue
        left, at = size(shape), number % 97 * 34 * 97
        while left > 0:
            part = pool[at:at + left]
            out.write(part)
            left, at = left - len(part), 0
