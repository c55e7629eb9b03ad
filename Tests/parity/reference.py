"""Writes what two independent programs make of the same model, for ParityTests.

    reference.py MODEL.gguf OUT.json

numpy: f32 forward pass over weights dequantised by the gguf package; log-probability of each next token of 20 prompts (small
models of llama's architecture).
llama.cpp (xllamacpp): token ids of the prompts, and at over 1,000 teacher-forced positions its most likely token and a
log-probability, twice: on the file as it is, where llama.cpp rounds activations to 8 bits in every product, and on the same
weights widened to f32, where it computes as Hearth and numpy do.
"""
import json
import os
import sys
import urllib.request

import gguf
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


class Llama:
    """The llama forward pass, written from the paper and not from Hearth."""

    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        field = lambda key: reader.fields[key].contents()
        self.layers, self.heads = field("llama.block_count"), field("llama.attention.head_count")
        self.kv_heads, self.eps = field("llama.attention.head_count_kv"), field("llama.attention.layer_norm_rms_epsilon")
        self.base = field("llama.rope.freq_base")
        self.w = {t.name: gguf.dequantize(t.data, t.tensor_type).astype(np.float32) for t in reader.tensors}
        self.dim = self.w["token_embd.weight"].shape[1] // self.heads

    def norm(self, x, name):
        return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + np.float32(self.eps)) * self.w[name]

    def rope(self, x):  # [T, H, D], interleaved pairs
        angles = np.arange(len(x))[:, None] * self.base ** (-np.arange(0, self.dim, 2) / self.dim)
        c, s = np.cos(angles).astype(np.float32)[:, None], np.sin(angles).astype(np.float32)[:, None]
        y = np.empty_like(x)
        y[..., 0::2], y[..., 1::2] = x[..., 0::2] * c - x[..., 1::2] * s, x[..., 0::2] * s + x[..., 1::2] * c
        return y

    def __call__(self, ids):
        x = self.w["token_embd.weight"][ids]
        t = len(ids)
        mask = np.triu(np.full((t, t), -np.inf, np.float32), 1)
        for i in range(self.layers):
            g = lambda name: self.w["blk.%d.%s.weight" % (i, name)]
            h = self.norm(x, "blk.%d.attn_norm.weight" % i)
            q = self.rope((h @ g("attn_q").T).reshape(t, self.heads, self.dim)).transpose(1, 0, 2)
            k = self.rope((h @ g("attn_k").T).reshape(t, self.kv_heads, self.dim)).transpose(1, 0, 2)
            v = (h @ g("attn_v").T).reshape(t, self.kv_heads, self.dim).transpose(1, 0, 2)
            k, v = (np.repeat(a, self.heads // self.kv_heads, axis=0) for a in (k, v))
            scores = q @ k.transpose(0, 2, 1) / np.float32(self.dim**0.5) + mask
            p = np.exp(scores - scores.max(-1, keepdims=True))
            o = (p / p.sum(-1, keepdims=True)) @ v
            x = x + o.transpose(1, 0, 2).reshape(t, -1) @ g("attn_output").T
            h = self.norm(x, "blk.%d.ffn_norm.weight" % i)
            gate = h @ g("ffn_gate").T
            x = x + (gate / (1 + np.exp(-gate)) * (h @ g("ffn_up").T)) @ g("ffn_down").T
        return self.norm(x, "output_norm.weight") @ self.w.get("output.weight", self.w["token_embd.weight"]).T


def log_probs(logits, ids):
    z = logits[:-1].astype(np.float64)
    z -= z.max(-1, keepdims=True)
    z -= np.log(np.exp(z).sum(-1, keepdims=True))
    return [float(z[i, token]) for i, token in enumerate(ids[1:])]


class LlamaCpp:
    def __init__(self, path):
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path, params.n_ctx, params.n_parallel, params.warmup = path, 2048, 1, False
        params.cpuparams.n_threads = os.cpu_count()
        self.server = xllamacpp.Server(params)

    def post(self, path, body):
        request = urllib.request.Request(self.server.listening_address + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request, timeout=60))

    def tokens(self, text, special):
        return self.post("/tokenize", {"content": text, "add_special": False, "parse_special": special})["tokens"]

    def next(self, ids):
        """After each prefix the most likely token, and one token with its log-probability: the one that follows, or the most
        likely where that one is not among the first twenty. The cache keeps what was read before."""
        out = []
        for n in range(1, len(ids)):
            answer = self.post("/completion", {"prompt": ids[:n], "n_predict": 1, "temperature": 0, "cache_prompt": True,
                                               "return_tokens": True, "n_probs": 20})
            likely = (answer.get("completion_probabilities") or [{}])[0].get("top_logprobs") or [{"id": -1, "logprob": 0}]
            scored = next((entry for entry in likely if entry["id"] == ids[n]), likely[0])
            out.append({"best": answer["tokens"][0] if answer["tokens"] else -1, "scored": scored["id"],
                        "logprob": scored["logprob"]})
            if n % 200 == 0:
                print("parity: llama.cpp %d/%d" % (n, len(ids)), file=sys.stderr, flush=True)
        return out


def widen(path, out):
    """The same model with every tensor as f32."""
    reader = gguf.GGUFReader(path)
    writer = gguf.GGUFWriter(out, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            sub_type = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], sub_type=sub_type)
    for t in reader.tensors:
        writer.add_tensor(t.name, gguf.dequantize(t.data, t.tensor_type).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    model, out = sys.argv[1:]
    prompts = json.load(open(os.path.join(HERE, "prompts.json"), encoding="utf-8"))
    passage = open(os.path.join(HERE, "..", "Data", "alice.txt"), encoding="utf-8").read()
    llama_cpp = LlamaCpp(model)
    llama = Llama(model) if os.path.getsize(model) < 1 << 29 else None
    os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
    texts = [passage] + prompts
    ids = [llama_cpp.tokens(text, True) for text in texts]
    logits = [llama(np.array(one)) for one in ids] if llama else []
    stored = [llama_cpp.next(one) for one in ids]
    widen(model, out + ".f32.gguf")
    widened_llama_cpp = LlamaCpp(out + ".f32.gguf")
    widened = [widened_llama_cpp.next(one) for one in ids]
    os.remove(out + ".f32.gguf")

    if llama:
        numpy_best = [[int(i) for i in z[:-1].argmax(-1)] for z in logits]
        agree = lambda one: sum(x == y["best"] for a, b in zip(numpy_best, one) for x, y in zip(a, b))
        print("parity: of %d positions numpy f32 agrees with llama.cpp on %d (file as stored), %d (weights widened to f32)"
              % (sum(map(len, stored)), agree(stored), agree(widened)), file=sys.stderr)
    result = {
        "prompts": [{"text": t, "ids": i, "logprobs": log_probs(z, i)} for t, i, z in zip(prompts, ids[1:], logits[1:])],
        "passages": [{"ids": i, "stored": s, "widened": w} for i, s, w in zip(ids, stored, widened)],
    }
    json.dump(result, open(out + ".part", "w"))
    os.replace(out + ".part", out)


if __name__ == "__main__":
    status = 1
    try:
        main()
        status = 0
    finally:
        # llama.cpp's server threads keep the interpreter from ending by itself.
        if status:
            import traceback

            traceback.print_exc()
        sys.stderr.flush()
        os._exit(status)
