"""The run of run.py as Markdown: for each case Hearth, the best peer, the ratio (above 1: Hearth is ahead) and geometric means."""
import argparse
import collections
import datetime
import json
import math
import os
import statistics

import cases as W

p = argparse.ArgumentParser()
p.add_argument("file")
p.add_argument("--commit", default="")
p.add_argument("--rounds", default="")
p.add_argument("--driver", default="", help="the Vulkan driver that all ran on")
a = p.parse_args()

WORKLOADS = {"gemm": "f32 products", "lowp": "low precision and quantised", "attn": "attention forward",
             "attn_mem": "attention, peak memory over the inputs (MiB)", "cold": "process start to the end of a 1024 product"}
by_shape = {",".join(map(str, s)): n for n, s in W.GEMM.items()}  # cblas_bench names its cases by shape


def cpu():
    lines = open("/proc/cpuinfo").read().splitlines()
    found = {k: next((x.split(":")[1].strip() for x in lines if x.startswith(k)), "") for k in ("model name", "flags")}
    known = [x for x in ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile") if x in found["flags"].split()]
    return "%s, %d processors, %s" % (found["model name"], os.cpu_count(), " ".join(known))


def best(samples):
    return sorted((statistics.median(v), k) for k, v in samples.items())


table = collections.defaultdict(lambda: collections.defaultdict(list))
disturbed = runs = 0
who_ran = set()
for run in json.load(open(a.file)):
    runs += 1
    who_ran.add(run["peer"])
    disturbed += run["foreign"] > 0.12
    for row in run["rows"]:
        if run["workload"] == "cold":
            value, case = (run["wall"] * 1e3, "process") if "error" not in row else (None, "")
        else:
            value, case = row.get("ms", row.get("mib")), by_shape.get(row["case"], row["case"])
        if value is not None:
            who = run["peer"] + (":" + row["variant"] if row.get("variant") else "")
            table[run["workload"], case][who].append(value)

print("# Hearth beside its peers\n")
print("%s; commit %s; %s; %s2 threads; medians of %s interleaved rounds; %d of %d runs disturbed by other programs.\n"
      % (datetime.date.today(), a.commit, cpu(), a.driver + "; " if a.driver else "", a.rounds, disturbed, runs))
print("Peers: %s.\n" % ", ".join(sorted(who_ran - {"hearth"})))
print("A ratio above 1 means that Hearth is ahead of the best of all peers on that case.")
for workload, title in WORKLOADS.items():
    rows = [(c, t) for (w, c), t in table.items() if w == workload and "hearth" in t]
    if not rows:
        continue
    unit = "MiB" if workload == "attn_mem" else "ms"
    print("\n## %s\n" % title)
    print("| case | Hearth %s | GFLOP/s | best peer | %s | ratio |\n|---|---|---|---|---|---|" % (unit, unit))
    ratios = []
    for case, samples in rows:
        mine = statistics.median(samples.pop("hearth"))
        if not samples:
            continue
        value, who = best(samples)[0]
        work = W.flops(workload, case) if workload in ("gemm", "lowp", "attn") else 0
        ratios.append(value / max(mine, 1e-9) if workload != "attn_mem" else (value + 1) / (mine + 1))
        print("| %s | %.4g | %s | %s | %.4g | %.2f |"
              % (case, mine, "%.0f" % (work / mine / 1e6) if work else "-", who, value, ratios[-1]))
    print("\nGeometric mean %.2f, worst %.2f." % (math.exp(sum(map(math.log, ratios)) / len(ratios)), min(ratios)))
