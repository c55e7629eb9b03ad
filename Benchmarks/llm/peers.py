"""Hearth beside llama.cpp on one model file: both as servers, asked by the same client over HTTP, in turns.

    peers.py HEARTH MODEL.gguf [--rounds 5] [--threads 1,2]

Prefill: tokens of a prompt of 512 over the time to its first token. Decode: 128 tokens over the time that an answer of 129 takes
longer than one of 1. Concurrent: 8 answers of 128 tokens at once, all tokens over the time to the last. Every round asks both, first one and
then the other, with a prompt of its own that no cache knows. Load: from the program's start, its imports left out, to the first token, with the
file in the page cache. Memory: the largest resident set (VmHWM) over the file's size, what the interpreter had before taken off.
Prints a table of medians as Markdown. Ratios above 1 say that Hearth is faster; for load and memory, below 1.
"""
import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
PROMPT, ANSWER, CLIENTS = 512, 128, 8


def peak(pid):
    for line in open("/proc/%d/status" % pid):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024


class Engine:
    def ask(self, ids, count):
        request = urllib.request.Request(self.url + self.path, json.dumps(self.body(ids, count)).encode(),
                                         {"Content-Type": "application/json"})
        answer = json.load(urllib.request.urlopen(request, timeout=600))
        made = self.made(answer)
        assert made == count, "%s made %d of %d tokens" % (self.name, made, count)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Hearth(Engine):
    name, path = "hearth", "/v1/completions"

    def __init__(self, program, model, threads, packed=None):
        folder = tempfile.mkdtemp()
        options = []
        if packed:
            self.name, options = "hearth, kept", ["--packed", packed]
        start = time.perf_counter()
        self.process = subprocess.Popen(
            [program, "serve", "--model", model, "--device", "cpu", "--threads", str(threads), "--context", "2048",
             "--max-sequences", "8", "--cache-memory", "1024", "--listen", "127.0.0.1:0", "--state", folder,
             *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not os.path.exists(folder + "/address"):
            assert self.process.poll() is None, "hearth ended"
            time.sleep(0.001)
        self.url = open(folder + "/address").read().strip()
        self.ask([1], 1)
        self.load_seconds, self.before = time.perf_counter() - start, 0

    def body(self, ids, count):
        return {"prompt": ids, "max_tokens": count, "temperature": 0, "ignore_eos": True}

    def made(self, answer):
        return answer["usage"]["completion_tokens"]


class LlamaCpp(Engine):
    name, path = "llama.cpp", "/completion"

    def __init__(self, python, model, threads):
        self.process = subprocess.Popen([python, os.path.join(HERE, "llama_cpp.py"), model, str(threads)],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        start_of_load = json.loads(self.process.stdout.readline())
        self.before = start_of_load["resident"]
        start = time.perf_counter()
        self.url = json.loads(self.process.stdout.readline())["url"]
        self.ask([1], 1)
        self.load_seconds = time.perf_counter() - start

    def body(self, ids, count):
        return {"prompt": ids, "n_predict": count, "temperature": 0, "cache_prompt": False, "ignore_eos": True}

    def made(self, answer):
        return answer["tokens_predicted"]


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measures(engine, prompt, begin):
    """Tokens a second of one turn."""
    first = seconds(lambda: engine.ask(prompt, 1))
    short = seconds(lambda: engine.ask(begin, 1))
    long = seconds(lambda: engine.ask(begin[::-1], ANSWER + 1))
    clients = [threading.Thread(target=engine.ask, args=(begin[i:] + begin[:i], ANSWER)) for i in range(CLIENTS)]

    def together():
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    return {"prefill %d" % PROMPT: PROMPT / first, "decode %d" % ANSWER: ANSWER / (long - short),
            "%d at once" % CLIENTS: CLIENTS * ANSWER / seconds(together)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", default="1,2")
    options = parser.parse_args()
    size = os.path.getsize(options.model)
    open(options.model, "rb").read()
    own = random.Random(1)
    print("| threads | measure | hearth | llama.cpp | ratio |\n|---|---|---|---|---|")
    for threads in map(int, options.threads.split(",")):
        loads = {"hearth": [], "llama.cpp": []}
        makers = [lambda: Hearth(options.program, options.model, threads),
                  lambda: LlamaCpp(sys.executable, options.model, threads)]
        engines = [make() for make in makers]
        for engine in engines:
            loads[engine.name].append(engine.load_seconds)
        results = {}
        for number in range(options.rounds):
            prompt = [own.randrange(100, 40000) for _ in range(PROMPT)]
            begin = [own.randrange(100, 40000) for _ in range(16)]
            for engine in engines if number % 2 == 0 else engines[::-1]:
                for measure, value in measures(engine, prompt, begin).items():
                    results.setdefault(measure, {}).setdefault(engine.name, []).append(value)
                if sys.stderr.isatty():
                    print("round %d of %d: %s" % (number + 1, options.rounds, engine.name), file=sys.stderr)
        memory = {e.name: (peak(e.process.pid) - e.before) / size for e in engines}
        for engine in engines:
            engine.stop()
        # As after the first run with --packed.
        packed = tempfile.mkdtemp()
        makers.append(lambda: Hearth(options.program, options.model, threads, packed))
        engine = makers[-1]()
        end = time.time() + 120
        while not any(name.endswith(".packed") for name in os.listdir(packed)):
            assert time.time() < end and engine.process.poll() is None, "packed weights were not kept"
            time.sleep(0.1)
        engine.stop()
        loads[engine.name] = []
        for number in range(5):
            for make in makers if number % 2 else makers[::-1]:
                engine = make()
                loads[engine.name].append(engine.load_seconds)
                engine.stop()
        shutil.rmtree(packed)
        for measure, values in results.items():
            a, b = (statistics.median(values[n]) for n in ("hearth", "llama.cpp"))
            print("| %d | %s, tokens/s | %.1f | %.1f | %.2f |" % (threads, measure, a, b, a / b))
        b = statistics.median(loads["llama.cpp"])
        for name, how in (("hearth", ""), ("hearth, kept", " with weights packed before")):
            a = statistics.median(loads[name])
            print("| %d | load to first token%s, s | %.3f | %.3f | %.2f |" % (threads, how, a, b, a / b))
        print("| %d | peak memory / file | %.2f | %.2f | %.2f |" % (
            threads, memory["hearth"], memory["llama.cpp"], memory["hearth"] / memory["llama.cpp"]), flush=True)


main()
