"""llama-benchy, a benchmark of OpenAI-compatible servers, runs against `hearth serve` unchanged.

    benchy.py HEARTH MODEL.gguf

Offline: its tokenizer is made here from the model file, its book is served from Tests/Data.
"""
import functools
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading

import gguf
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from common import Server

here = os.path.dirname(os.path.abspath(__file__))
program, model = sys.argv[1:]
folder = tempfile.mkdtemp()


def tokenizer(path):
    """SmolLM2's tokenizer.json and its configuration."""
    fields = gguf.GGUFReader(model).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    kinds = fields["tokenizer.ggml.token_type"].contents()
    made = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(t, special=True) for t, kind in zip(tokens, kinds) if kind == gguf.TokenType.CONTROL])
    made.save(path + "/tokenizer.json")
    json.dump({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": tokens[fields["tokenizer.ggml.eos_token_id"].contents()],
               "chat_template": fields["tokenizer.chat_template"].contents()}, open(path + "/tokenizer_config.json", "w"))


tokenizer(folder)
quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
books = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(quiet, directory=os.path.join(here, "..", "Data")))
threading.Thread(target=books.serve_forever, daemon=True).start()
result = folder + "/result.json"
with Server(program, model, "--model-name", "smol", "--context", "2048") as server:
    run = subprocess.run(
        [os.path.join(os.path.dirname(sys.executable), "llama-benchy"), "--base-url", server.url + "/v1", "--model", "smol",
         "--tokenizer", folder, "--book-url", "http://127.0.0.1:%d/alice.txt" % books.server_port, "--pp", "64", "200", "--tg", "16",
         "--depth", "0", "100", "--runs", "2", "--concurrency", "1", "4", "--exact-tg", "--enable-prefix-caching", "--exit-on-first-fail",
         "--skip-coherence", "--format", "json", "--save-result", result],
        env=dict(os.environ, HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HOME=folder, HOME=folder), capture_output=True, text=True, timeout=300)
    if run.returncode or not os.path.exists(result):
        raise SystemExit("FAILED: llama-benchy ended with %d: %s" % (run.returncode, (run.stdout + run.stderr)[-3000:]))
    metrics = server.metrics()
benchmarks = json.load(open(result))["benchmarks"]
# Two sizes of prompts and two depths, a deeper one in two phases; each for one client and for four.
assert len(benchmarks) == 2 * 2 * 3, "%d benchmarks" % len(benchmarks)
for one in benchmarks:
    assert one["is_context_prefill_phase"] or one["tg_throughput"]["mean"] > 0 and len(one["tg_throughput"]["values"]) == 2, one
for outcome in "failed", "refused", "cancelled":
    assert metrics['hearth_serve_requests_total{outcome="%s"}' % outcome] == 0, "%s requests" % outcome
assert metrics["hearth_serve_cached_prompt_tokens_total"] > 0, "prefixes are shared"
print("%s: %d benchmarks, %d requests, all answered" % (
    subprocess.run([os.path.join(os.path.dirname(sys.executable), "llama-benchy"), "--version"], capture_output=True, text=True).stdout.strip(),
    len(benchmarks), metrics['hearth_serve_requests_total{outcome="completed"}']))
