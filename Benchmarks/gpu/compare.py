"""Times Hearth's Vulkan kernels and PyTorch's in turn on one GPU and writes the ratios: results/gpu.json and results/gpu.md.

Without PyTorch or CUDA the other column stays empty: ratios are never guessed."""
import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import time

p = argparse.ArgumentParser()
p.add_argument("--hearth", required=True)
p.add_argument("--device", required=True)
p.add_argument("--size", choices=["full", "tiny"], default="full")
p.add_argument("--seconds", type=float, default=0.5)
p.add_argument("--results", required=True)
p.add_argument("--commit", default="")
a = p.parse_args()

TINY = a.size == "tiny"
# workload, dtype of Hearth, shape as `hearth bench --shapes` writes it
GEMM = [("gemm", "f16", "%dx%dx%d" % (s, s, s)) for s in ([64] if TINY else [1024, 2048, 4096, 8192, 16384])]
GEMM += [] if TINY else [("gemm", "f16", s) for s in ("512x4096x4096", "512x14336x4096", "512x4096x14336", "4096x4096x4096")]
GEMM += [("gemm", "bf16", "64x64x64" if TINY else "8192x8192x8192")]
# weights of at least 240 MB, so that no cache holds them
GEMV = [("gemv", t, "128x256" if TINY else s) for t, s in (("bf16", "16384x8192"), ("f16", "16384x8192"), ("q8_0", "32768x8192"), ("q4_0", "65536x8192"))]
ATTENTION = [("attention", "f16", s) for s in (["32x32x2/2x64"] if TINY else [
    "%dx%dx%d/%dx%d" % (n, n, 2048 // d, 2048 // d, d) for d in (64, 128) for n in (1024, 2048, 4096, 8192)])]

try:
    import torch
    import torch.nn.functional as F

    HAS_CUDA = torch.cuda.is_available()
except ImportError:
    torch, HAS_CUDA = None, False


def hearth(workload, dtype, shape):
    command = [a.hearth, "bench", workload, "--device", a.device, "--dtypes", dtype, "--shapes", shape, "--seconds", str(a.seconds), "--format", "jsonl"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        return {"error": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "exit %d" % done.returncode}
    return json.loads(done.stdout.strip().splitlines()[-1])


def cuda(workload, dtype, shape):
    """Median seconds of what PyTorch does on the shape; None where it has nothing to compare."""
    if not HAS_CUDA or dtype not in ("f16", "bf16"):
        return None
    t = {"f16": torch.float16, "bf16": torch.bfloat16}[dtype]
    sizes = [int(x) for part in shape.split("x") for x in part.split("/")]
    if workload == "attention":
        tq, tk, hq, hkv, d = sizes
        q, k, v = (torch.randn(1, h, n, d, device="cuda", dtype=t) for h, n in ((hq, tq), (hkv, tk), (hkv, tk)))
        call = lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True)
    else:
        m, n, k = sizes if workload == "gemm" else [1] + sizes
        x, w = torch.randn(m, k, device="cuda", dtype=t), torch.randn(n, k, device="cuda", dtype=t)
        call = lambda: x @ w.T
    for _ in range(3):
        call()
    torch.cuda.synchronize()
    samples, start = [], time.time()
    while len(samples) < 5 or time.time() - start < a.seconds:
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        call()
        end.record()
        torch.cuda.synchronize()
        samples.append(begin.elapsed_time(end) / 1e3)
    return statistics.median(samples)


rows = []
for case in GEMM + GEMV + ATTENTION:
    ours, theirs = hearth(*case), cuda(*case)
    rows.append({"workload": case[0], "dtype": case[1], "shape": case[2], "hearth": ours, "torch_seconds": theirs})
    print("%-10s %-5s %-22s %s" % (*case, ours.get("error") or "%.3f ms%s" % (
        ours["seconds"]["median"] * 1e3, "" if theirs is None else ", PyTorch %.3f ms" % (theirs * 1e3))), flush=True)

version = "PyTorch %s on %s" % (torch.__version__, torch.cuda.get_device_name()) if HAS_CUDA else "no PyTorch with CUDA"
json.dump({"commit": a.commit, "date": str(datetime.date.today()), "peer": version, "rows": rows},
          open(os.path.join(a.results, "gpu.json"), "w"), indent=1)
name = json.load(open(os.path.join(a.results, "ceilings.json")))["deviceName"]
lines = ["# Hearth's Vulkan kernels on a GPU", "", "%s; commit %s; %s; %s. Ratio: above 1 means that Hearth is faster." % (
    datetime.date.today(), a.commit, name, version), "",
    "| kernel | dtype | shape | Hearth | TFLOP/s | GB/s | % of ceilings | PyTorch | ratio |", "|---|---|---|---|---|---|---|---|---|"]
for row in rows:
    h, peer = row["hearth"], row["torch_seconds"]
    if "error" in h:
        lines.append("| %s | %s | %s | refused: %s | | | | | |" % (row["workload"], row["dtype"], row["shape"], h["error"]))
        continue
    seconds, cost, reached = h["seconds"]["median"], h["cost"], h["achieved"]
    lines.append("| %s | %s | %s | %.3f ms | %.2f | %.0f | %s | %s | %s |" % (
        row["workload"], row["dtype"], row["shape"], seconds * 1e3, cost["flops"] / seconds / 1e12,
        (cost["bytesRead"] + cost["bytesWritten"]) / seconds / 1e9,
        "%.0f / %.0f" % (100 * (reached.get("shareOfFlops") or 0), 100 * (reached.get("shareOfBandwidth") or 0)),
        "-" if peer is None else "%.3f ms" % (peer * 1e3), "-" if peer is None else "%.2f" % (peer / seconds)))
open(os.path.join(a.results, "gpu.md"), "w").write("\n".join(lines) + "\n")
refused = [row for row in rows if "error" in row["hearth"]]
if refused:
    sys.exit("compare.py: %d of %d cases were refused" % (len(refused), len(rows)))
