"""Bodies that are nearly right, and wrong ones: every answer is 2xx or 4xx, and the server lives.

    fuzz.py HEARTH MODEL.gguf [--count 100000] [--seed 1]
"""
import argparse
import http.client
import json
import random
import threading

from common import Server

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("model")
parser.add_argument("--count", type=int, default=100000)
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()

WORDS = [None, True, False, 0, -1, 1, 2, 1.5, 1e308, -1e308, 10**30, "", "a", "\u0000", "\ud800", "é" * 50, [], {}, [[]],
         [None], [1, 2], ["a"], {"a": 1}, [[1, 2]], "base64", "<|im_start|>", 49152, 2**31, 2**63, 2**63 - 1, -2**63, 2**62, 1e-300, {"type": "text"}, {"type": "json_object"}]
FIELDS = ["model", "prompt", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "min_p", "n",
          "seed", "stop", "stream", "stream_options", "logprobs", "top_logprobs", "logit_bias", "presence_penalty",
          "frequency_penalty", "repetition_penalty", "echo", "tools", "response_format", "content", "tokens", "user", "input", "encoding_format", "dimensions",
          "grammar", "json_schema"]
PATHS = ["/v1/completions", "/v1/chat/completions", "/tokenize", "/detokenize", "/v1/embeddings"]


SCHEMA_KEYS = ["type", "properties", "required", "additionalProperties", "items", "prefixItems", "minItems", "maxItems", "minLength",
               "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum", "const",
               "anyOf", "oneOf", "allOf", "$ref", "$defs", "not", "title"]
SCHEMA_WORDS = ["object", "array", "string", "integer", "number", "boolean", "null", ["string", "null"], "#", "#/$defs/a",
                "#/properties/a", "^a+$", "(a|b)*[^c-e]{2,9}$", "date", "uuid", 0, 1, -5, 3.5, 70000, 10**20, True, False, {}, [], None]
GBNF_PARTS = ["root ::= ", "x ::= ", "root", " x ", "\"a\"", "\"\\n\"", "[a-z]", "[^\"]", "(", ")", "*", "+", "?", "{2}", "{0,50}", "{1000}",
              " | ", "\n", "<[5]>", "!<[2]>", ".", "#c\n", "\\", "é", "[", "\""]


CHAIN = {name + str(n): {"properties": {p: {"$ref": "#/$defs/%s%d" % (name, n + 1)} for p in "ab"}} for name in "AB" for n in range(30)}
# Small bodies that would cost much.
HOSTILE = [
    {"grammar": "root ::= \"a\"" + "*" * 100000}, {"grammar": "root ::= " + "()" * 100000}, {"grammar": "root ::= x\nx ::= x"},
    {"grammar": "root ::= " + "\"x\"? " * 3000 + "\"a\" root \"b\"", "n": 4},
    {"grammar": "root ::= x\nx ::= \"a\" x \"b\" | \"a\" x \"c\" | \"a\" x x | [a-z] x | \"\""},
    {"json_schema": {"enum": ["a%d" % i for i in range(6000)]}}, {"json_schema": {"$ref": "#"}},
    {"json_schema": {"pattern": "^[" + "".join(chr(c) for c in range(0x800, 0x1800, 2)) + "]$"}},
    {"json_schema": {"$defs": {**CHAIN, "A30": {}, "B30": {}}, "allOf": [{"$ref": "#/$defs/A0"}, {"$ref": "#/$defs/B0"}]}},
    {"json_schema": {"allOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}],
                     "$defs": {k: {"properties": {"a": {"$ref": "#/$defs/" + k}}} for k in "AB"}}},
    {"json_schema": {"$defs": {"e": {"const": "x" * 20000}}, "anyOf": [{"$ref": "#/$defs/e"}] * 5000}},
    {"json_schema": {"type": ["string"] * 5000, "pattern": "a" * 4000}},
]


def schema(random, depth=0):
    made = {}
    for _ in range(random.randrange(5)):
        key = random.choice(SCHEMA_KEYS)
        if depth < 4 and key in ("properties", "$defs"):
            made[key] = {name: schema(random, depth + 1) for name in random.sample(["a", "b", "é\"", "ab"], random.randrange(4))}
        elif depth < 4 and key in ("items", "additionalProperties", "not"):
            made[key] = schema(random, depth + 1)
        elif depth < 4 and key in ("prefixItems", "anyOf", "oneOf", "allOf"):
            made[key] = [schema(random, depth + 1) for _ in range(random.randrange(4))]
        elif key == "required":
            made[key] = random.sample(["a", "b", "c"], random.randrange(4))
        else:
            made[key] = random.choice(SCHEMA_WORDS)
    return made


def constraint(random):
    """A field that says what the answer must be."""
    if random.random() < 0.4:
        return "grammar", "root ::= " + "".join(random.choice(GBNF_PARTS) for _ in range(random.randrange(1, 16)))
    made = schema(random)
    if random.random() < 0.5:
        return "json_schema", made
    return "response_format", {"type": "json_schema", "json_schema": {"name": "a", "schema": made}}


def value(random, depth=0):
    kind = random.random()
    if kind < 0.75 or depth > 3:
        return random.choice(WORDS)
    if kind < 0.87:
        return [value(random, depth + 1) for _ in range(random.randrange(4))]
    return {random.choice(FIELDS + ["role", "type", "text"]): value(random, depth + 1) for _ in range(random.randrange(4))}


def body(random):
    base = random.choice([
        {"prompt": "a", "max_tokens": 1}, {"messages": [{"role": "user", "content": "a"}], "max_tokens": 1},
        {"content": "a"}, {"tokens": [1, 2]}, {"input": ["a", "b"]}])
    base = json.loads(json.dumps(base))
    for _ in range(random.randrange(4)):
        base[random.choice(FIELDS)] = value(random)
    if random.random() < 0.3:
        key, rule = constraint(random)
        base[key] = rule
        base["max_tokens"] = random.choice([1, 1, 1, 12])
    # Long answers are what the load test is for.
    if base.get("max_tokens") not in (1, 12, 2**63 - 1, 2**62) and random.random() < 0.9:
        base["max_tokens"] = 1
    if "max_completion_tokens" in base and not (base["max_completion_tokens"] is None):
        base["max_completion_tokens"] = random.choice([0, 1, "a", -5, {}])
    data = bytearray(json.dumps(base).encode())
    for _ in range(random.choice([0, 0, 0, 1, 3])):
        data[random.randrange(len(data))] = random.randrange(256)
    if random.random() < 0.01:
        return json.dumps({"prompt": "a", "max_tokens": 3, **random.choice(HOSTILE)}).encode()
    if random.random() < 0.02:
        return b"[" * random.randrange(1, 100000)
    return bytes(data[: random.randrange(len(data))] if random.random() < 0.05 else data)


counts, bad = {}, []


def work(number, server):
    own = random.Random(options.seed * 1000 + number)
    connection = http.client.HTTPConnection(server.url.split("//")[1], timeout=120)
    for _ in range(options.count // 8):
        data, path = body(own), own.choice(PATHS)
        try:
            connection.request("POST", path, data)
            response = connection.getresponse()
            response.read()
            counts[response.status] = counts.get(response.status, 0) + 1
            if not (200 <= response.status < 500):
                bad.append((response.status, path, data[:300]))
        except (http.client.HTTPException, OSError) as error:
            bad.append((repr(error), path, data[:300]))
            connection.close()
        if not server.is_running:
            return


with Server(options.program, options.model, "--context", "512") as server:
    threads = [threading.Thread(target=work, args=(i, server)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.is_running and server.metrics(), "the server ended"
    assert not bad, "%d bad, first %s" % (len(bad), bad[:2])
print("%d bodies: %s" % (sum(counts.values()), ", ".join("%d x %d" % (counts[k], k) for k in sorted(counts))))
