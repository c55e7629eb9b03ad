"""Many clients at once, well and badly behaved: every accepted request is answered once, and memory stays flat.

    load.py HEARTH MODEL.gguf [--clients 64] [--seconds 300] [--seed 1]

A client draws what it does next: an answer whole or streamed, of random lengths; one it hangs up on; a body that is cut or no
JSON; a prompt beyond the context. Prints one line with what happened and the 50th and 99th percentile of the time to the
first token.
"""
import argparse
import http.client
import json
import random
import threading
import time

from common import Server

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("model")
parser.add_argument("--clients", type=int, default=64)
parser.add_argument("--seconds", type=float, default=300)
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()
counts, first_token, problems = {}, [], []
lock = threading.Lock()


def note(what, seconds=None):
    with lock:
        counts[what] = counts.get(what, 0) + 1
        if seconds is not None:
            first_token.append(seconds)


def problem(text):
    with lock:
        problems.append(text)


def events(response):
    """The data of server-sent events, to the end of the answer."""
    for line in response:
        if line.startswith(b"data: "):
            yield line[6:].strip()


def turn(connection, random):
    kind = random.choices(["whole", "stream", "hangup", "malformed", "oversized"], [30, 45, 10, 10, 5])[0]
    words = " ".join(random.choice(["river", "stone", "and", "the", "light", "of", "seven"]) for _ in range(
        random.choice([3, 30, 200])))
    body = {"prompt": words, "max_tokens": random.choice([1, 8, 32, 64]), "temperature": random.choice([0, 0.8]),
            "seed": random.randrange(100), "logit_bias": {"2": -100, "0": -100}}
    if kind == "oversized":
        body["prompt"] = "river " * 5000
    if kind in ("stream", "hangup"):
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    data = json.dumps(body).encode()
    if kind == "malformed":
        data = random.choice([data[:random.randrange(1, len(data))], b"\xff\xfe", b"[1]", b'{"prompt": {}}'])
    start = time.monotonic()
    connection.request("POST", "/v1/completions", data)
    response = connection.getresponse()
    if response.status in (429, 503):
        assert response.headers["Retry-After"], "no Retry-After"
        response.read()
        note("busy")
        return time.sleep(0.2)
    if kind in ("malformed", "oversized"):
        error = json.loads(response.read())["error"]["message"]
        if response.status != 400:
            problem("%s: %d %s" % (kind, response.status, error))
        return note(kind)
    if response.status != 200:
        return problem("%s: %d %s" % (kind, response.status, response.read()[:200]))
    if kind == "whole":
        answer = json.loads(response.read())
        if len(answer["choices"]) != 1 or answer["usage"]["completion_tokens"] != body["max_tokens"]:
            problem("a whole answer of %s for %s" % (answer["usage"], body["max_tokens"]))
        return note("whole")
    seen, usage, done = 0, None, 0
    for event in events(response):
        if event == b"[DONE]":
            done += 1
            continue
        event = json.loads(event)
        if event["choices"] and event["choices"][0]["text"] and seen == 0:
            note("first", time.monotonic() - start)
        seen += 1
        usage = event.get("usage") or usage
        if kind == "hangup" and seen > 2:
            connection.close()
            return note("hangup")
    if kind == "stream" and (done != 1 or usage["completion_tokens"] != body["max_tokens"]):
        problem("a stream with %d ends and %s for %s" % (done, usage, body["max_tokens"]))
    note("stream" if kind == "stream" else "hangup too late")


def client(number, server, end):
    own = random.Random(options.seed * 1000 + number)
    connection = http.client.HTTPConnection(server.url.split("//")[1], timeout=120)
    while time.monotonic() < end and server.is_running:
        try:
            turn(connection, own)
        except (http.client.HTTPException, OSError, AssertionError, ValueError, KeyError) as error:
            problem("client %d: %r" % (number, error))
            connection.close()


with Server(options.program, options.model, "--context", "2048", "--cache-memory", "128") as server:
    end = time.monotonic() + options.seconds
    threads = [threading.Thread(target=client, args=(i, server, end)) for i in range(options.clients)]
    for thread in threads:
        thread.start()
    # After a fifth of the time everything that is made once is there.
    time.sleep(options.seconds / 5)
    early = server.resident_bytes
    for thread in threads:
        thread.join()
    for _ in range(100):
        m = server.metrics()
        if m["hearth_serve_active_requests"] + m["hearth_serve_queued_requests"] == 0:
            break
        time.sleep(0.1)
    late = server.resident_bytes
    assert m["hearth_serve_active_requests"] == 0 and m["hearth_serve_kv_held_pages"] == 0, "places were not given back"
    ended = sum(m['hearth_serve_requests_total{outcome="%s"}' % o] for o in ("completed", "cancelled", "failed"))
    answered = counts.get("whole", 0) + counts.get("stream", 0) + counts.get("hangup", 0) + counts.get("hangup too late", 0)
    assert not problems, "%d problems, first %s" % (len(problems), problems[:3])
    assert m['hearth_serve_requests_total{outcome="failed"}'] == 0, "failed passes"
    assert ended == answered, "%d requests ended, clients saw %d" % (ended, answered)
    assert late <= early * 1.1 + (32 << 20), "memory grew from %d to %d MiB" % (early >> 20, late >> 20)
first_token.sort()
at = lambda share: first_token[min(len(first_token) - 1, int(share * len(first_token)))]
print("%d clients, %.0f s: %s; %d tokens; TTFT p50 %.2f s, p99 %.2f s; RSS %d to %d MiB" % (
    options.clients, options.seconds, ", ".join("%d %s" % (counts[k], k) for k in sorted(counts) if k != "first"),
    m["hearth_serve_generated_tokens_total"], at(0.5), at(0.99), early >> 20, late >> 20))
