#!/usr/bin/env python3
"""How well placement predicts: jobs of mixed kernels through a coordinator and an agent of this machine, predicted against actual time.

    run.py [--jobs 100] [--seed 1]

Each job is two to five kernels of random kinds, types and sizes. Twenty-four more go first, to learn from; the coordinator goes on learning from the others, as in
production. Beside it stands what data sheets would have said: peak FLOP/s from clock and vector width, and whatever memory bandwidth makes that
prediction best. Prints a table; with --report also writes it as Markdown.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
HEARTH = REPOSITORY / ".build/release/hearth"
TEACHING = 24


def case(random_: random.Random) -> str:
    """One kernel; launches for about a second, guessed at 100 GFLOP/s and 10 GB/s."""
    kind = random_.choice(["gemm", "gemm", "gemv", "attention", "norm", "memory"])
    step = lambda low, high, of: of * random_.randint(low // of, high // of)
    if kind == "gemm":
        m, n, k = step(16, 512, 16), step(128, 1536, 64), step(256, 1536, 256)
        dtype = random_.choice(["f32", "f32", "q8_0", "q4_0", "q4_k"])
        seconds, shape = 2 * m * n * k / 2e11, f"{m}x{n}x{k}"
    elif kind == "gemv":
        n, k = step(512, 4096, 256), step(512, 4096, 256)
        dtype = random_.choice(["f32", "q8_0", "q4_0", "bf16"])
        seconds, shape = n * k * {"f32": 4, "q8_0": 1, "q4_0": 0.6, "bf16": 2}[dtype] / 2e10, f"{n}x{k}"
    elif kind == "attention":
        length, dtype = step(64, 768, 64), "f32"
        seconds, shape = 2 * 9 * length * length * 64 / 1e11, f"{length}x{length}x9/3x64"
    elif kind == "norm":
        rows, n, dtype = step(64, 2048, 64), step(256, 4096, 256), ""
        seconds, shape = 8 * rows * n / 2e10, f"{rows}x{n}"
    else:
        size, dtype = step(16, 64, 16), random_.choice(["copy", "read", "triad"])
        seconds, shape = size * 2**20 * 2 / 2e10, f"{size}"
    return f"{kind} {shape} {dtype} x{max(1, round(1.2 / seconds))}".replace("  ", " ")


def hearth(*arguments: str, check: bool = True) -> str:
    done = subprocess.run([HEARTH, *arguments], capture_output=True, text=True)
    if check and done.returncode:
        sys.exit(f"hearth {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def nominal_flops() -> float:
    """FLOP/s of f32 from clock and vector width, as a data sheet counts them."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    clocks = [float(mhz) * 1e6 for mhz in re.findall(r"cpu MHz\s*: ([\d.]+)", text)]
    lanes = 16 if "avx512f" in text else 8 if "avx2" in text else 4
    return sum(clocks) * lanes * 2 * 2


def nominal_seconds(kernels: list, flops: float, bandwidth: float) -> float:
    cost = [(k["cost"], k["launches"]) for k in kernels]
    return sum(n * max(c["flops"] / flops, (c["bytesRead"] + c["bytesWritten"]) / bandwidth) for c, n in cost)


def errors(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """Median and 95th percentile of |predicted - actual| / actual."""
    values = sorted(abs(predicted - actual) / actual for predicted, actual in pairs)
    return statistics.median(values), values[min(len(values) - 1, int(0.95 * len(values)))]


def start(state: str, daemons: list, name: str, *arguments: str) -> None:
    """Starts a daemon and waits until it listens."""
    log = open(f"{state}/{name}.log", "w")
    listen = ["--state", f"{state}/{name}", "--listen", "127.0.0.1:0"]
    daemons.append(subprocess.Popen([HEARTH, name, *listen, *arguments], stdout=log, stderr=log))
    while not pathlib.Path(state, name, "address").exists():
        if daemons[-1].poll() is not None:
            sys.exit(pathlib.Path(state, f"{name}.log").read_text())
        time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="leave the daemons' state for a closer look")
    parser.add_argument("--report", type=pathlib.Path)
    options = parser.parse_args()
    source = random.Random(options.seed)
    with contextlib.ExitStack() as stack:
        state = tempfile.mkdtemp(prefix="hearth-placement-")
        stack.callback(print, f"state: {state}") if options.keep else stack.callback(shutil.rmtree, state)
        os.environ |= {"HEARTH_STATE": state, "HEARTH_TOKEN_FILE": f"{state}/coordinator/token"}
        daemons = []
        try:
            start(state, daemons, "coordinator")
            os.environ["HEARTH_COORDINATOR"] = coordinator = pathlib.Path(state, "coordinator/address").read_text()
            token = os.environ["HEARTH_TOKEN_FILE"]
            start(state, daemons, "agent", "--devices", "cpu", "--coordinator", coordinator, "--token-file", token)
            hearth("nodes", "--wait")
            print(f"{TEACHING} jobs to learn from, then {options.jobs}", flush=True)
            for number in range(TEACHING + options.jobs):
                cases = [case(source) for _ in range(source.randint(2, 5))]
                spec = pathlib.Path(state, "spec.yaml")
                spec.write_text("kind: bench\ndevice: cpu\ncases:\n" + "".join(f"  - {c}\n" for c in cases))
                hearth("submit", "--follow", str(spec))
                if (number + 1) % 10 == 0:
                    print(f"{number + 1} jobs", flush=True)
            jobs = json.loads(hearth("jobs", "--json"))[: options.jobs]
            ceilings = json.loads(hearth("nodes", "--json"))[0]
        finally:
            for daemon in reversed(daemons):
                daemon.terminate()
                daemon.wait()
    measured = [(job["predictedSeconds"], job["outcome"]["actualSeconds"]) for job in jobs]
    flops = nominal_flops()

    def of_sheet(bandwidth: float) -> list[tuple[float, float]]:
        return [
            (nominal_seconds(job["spec"]["estimate"]["kernels"], flops, bandwidth), job["outcome"]["actualSeconds"])
            for job in jobs
        ]

    best = min((x * 1e9 for x in (5, 10, 20, 25.6, 40, 51.2, 76.8, 102.4, 204.8)), key=lambda b: errors(of_sheet(b)))
    name = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    rows = [("measured ceilings and earlier jobs", *errors(measured))]
    rows += [(f"data sheet: {flops / 1e9:.0f} GFLOP/s, {best / 1e9:.1f} GB/s", *errors(of_sheet(best)))]
    lines = [f"{len(jobs)} jobs, {sum(a for _, a in measured):.0f} s of work, seed {options.seed}", ""]
    lines += [f"{name.group(1) if name else platform.processor()}, {os.cpu_count()} cores; {ceilings['version']}", ""]
    lines += ["| predicted from | median error | 95th percentile |", "|---|---|---|"]
    lines += [f"| {what} | {median:.1%} | {tail:.1%} |" for what, median, tail in rows]
    print("\n".join(lines))
    if options.report:
        options.report.write_text("# Predicted against actual time\n\n" + "\n".join(lines) + "\n")
    for predicted, actual in sorted(measured, key=lambda p: -abs(p[0] - p[1]) / p[1])[:5]:
        print(f"worst: predicted {predicted:.2f} s, took {actual:.2f} s")
    if rows[0][1] > 0.15 or rows[0][2] > 0.30 or rows[0][1] >= rows[1][1]:
        sys.exit("placement: the prediction misses its bound (median 15%, 95th percentile 30%, better than a data sheet's)")


main()
