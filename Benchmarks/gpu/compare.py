"""Times Hearth's Vulkan kernels and PyTorch's in turn on one GPU and writes the ratios: results/gpu.json and results/gpu.md;
then decoding of a llama of random weights, and a warm start.

PyTorch does attention in two ways: what it takes by itself (cuDNN on a Hopper) and its flash kernels. Without PyTorch or CUDA the
other column stays empty: ratios are never guessed."""
import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
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
GEMM = [("gemm", "bf16", "%dx%dx%d" % (s, s, s)) for s in ([64] if TINY else [1024, 2048, 4096, 8192, 16384])]
GEMM += [] if TINY else [("gemm", "bf16", s) for s in ("512x4096x4096", "512x14336x4096", "512x4096x14336", "4096x14336x4096")]
GEMM += [("gemm", "f16", "64x64x64" if TINY else "8192x8192x8192")]
# weights of at least 240 MB, so that no cache holds them
GEMV = [("gemv", t, "128x256" if TINY else s) for t, s in (("bf16", "16384x8192"), ("f16", "16384x8192"), ("q8_0", "32768x8192"), ("q4_0", "65536x8192"))]
ATTENTION = [("attention", "f16", s) for s in (["32x32x2/2x64"] if TINY else [
    "%dx%dx%d/%dx%d" % (n, n, 2048 // d, 2048 // d, d) for d in (64, 128) for n in (1024, 2048, 4096, 8192, 32768)])]

try:
    import torch
    import torch.nn.functional as F
    from torch.nn.attention import SDPBackend, sdpa_kernel

    HAS_CUDA = torch.cuda.is_available()
except ImportError:
    torch, HAS_CUDA = None, False


def run(command, timeout=600):
    """What it printed, or the last line of what went wrong: one failure must not cost the other rows."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return None, "no end after %d s" % timeout
    if done.returncode == 0:
        return done.stdout, None
    return None, (done.stderr.strip().splitlines() or ["exit %d" % done.returncode])[-1]


def hearth(workload, dtype, shape):
    out, error = run([a.hearth, "bench", workload, "--device", a.device, "--dtypes", dtype, "--shapes", shape, "--seconds", str(a.seconds), "--format", "jsonl"])
    return {"error": error} if error else json.loads(out.strip().splitlines()[-1])


def cuda(workload, dtype, shape, flash=False):
    """Median seconds of what PyTorch does on the shape; None where it has nothing to compare."""
    if not HAS_CUDA or dtype not in ("f16", "bf16") or flash and workload != "attention":
        return None
    t = {"f16": torch.float16, "bf16": torch.bfloat16}[dtype]
    sizes = [int(x) for part in shape.split("x") for x in part.split("/")]
    if workload == "attention":
        tq, tk, hq, hkv, d = sizes
        q, k, v = (torch.randn(1, h, n, d, device="cuda", dtype=t) for h, n in ((hq, tq), (hkv, tk), (hkv, tk)))
        attend = lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True)
        call = attend

        def with_flash():
            with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
                attend()

        if flash:
            call = with_flash
            try:
                call()
            except RuntimeError:  # no such kernel for this GPU
                return None
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


version = "PyTorch %s on %s" % (torch.__version__, torch.cuda.get_device_name()) if HAS_CUDA else "no PyTorch with CUDA"


def save(rows, **others):
    """As far as it got: the machine may be lent for minutes."""
    json.dump({"commit": a.commit, "date": str(datetime.date.today()), "peer": version, "rows": rows, **others},
              open(os.path.join(a.results, "gpu.json"), "w"), indent=1)


os.makedirs(a.results, exist_ok=True)
rows = []
for case in GEMM + GEMV + ATTENTION:
    ours, theirs, flash = hearth(*case), cuda(*case), cuda(*case, flash=True)
    rows.append({"workload": case[0], "dtype": case[1], "shape": case[2], "hearth": ours, "torch_seconds": theirs, "flash_seconds": flash})
    save(rows)
    print("%-10s %-5s %-22s %s" % (*case, ours.get("error") or "%.3f ms%s" % (
        ours["seconds"]["median"] * 1e3, "" if theirs is None else ", PyTorch %.3f ms" % (theirs * 1e3))), flush=True)



def decode():
    """Of a llama of random weights in Q8_0; the second of two runs: pipelines are cached."""
    path = os.path.join(tempfile.gettempdir(), "hearth-random-%d.gguf" % os.getpid())
    try:
        _, error = run([sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "model.py"), path] + ["tiny"] * TINY)
        for _ in range(2):
            if not error:
                out, error = run([a.hearth, "generate", "--model", path, "--prompt", "a b c d", "--max-tokens", "8" if TINY else "128",
                                  "--device", a.device, "--json"])
        return {"error": error} if error else json.loads(out)["decode"]
    finally:
        if os.path.exists(path):
            os.remove(path)


def warm_start():
    """Seconds from nothing to a process that has made one product and printed its figures; pipelines are cached, median of 5."""
    shape = "64x64x64" if TINY else "1024x1024x1024"
    seconds = []
    for _ in range(6):
        start = time.time()
        _, error = run([a.hearth, "bench", "gemm", "--device", a.device, "--dtypes", "f16", "--shapes", shape, "--seconds", "0.001", "--format", "jsonl"])
        if error:
            return {"error": error}
        seconds.append(time.time() - start)
    return {"seconds": statistics.median(seconds[1:])}


def share(reached):
    return "-" if reached.get("shareOfBandwidth") is None else "%.0f %%" % (100 * reached["shareOfBandwidth"])


decoding, starting = decode(), warm_start()
told = "Decoding a llama of %s: %s. Warm start of a process to its first product and figures: %s." % (
    "two small layers" if TINY else "3.0 billion random weights in Q8_0, batch 1",
    decoding.get("error") or "%.1f tokens/s, %s of what the device's measured bandwidth allows" % (decoding["tokensPerSecond"], share(decoding["achieved"])),
    starting.get("error") or "%.2f s" % starting["seconds"])
print(told, flush=True)
save(rows, decode=decoding, warm_start=starting)
name = json.load(open(os.path.join(a.results, "ceilings.json")))["deviceName"]
lines = ["# Hearth's Vulkan kernels on a GPU", "", "%s; commit %s; %s; %s. Ratio: above 1 means that Hearth is faster." % (
    datetime.date.today(), a.commit, name, version), "",
    "| kernel | dtype | shape | Hearth | TFLOP/s | GB/s | % of ceilings | PyTorch | ratio | its flash | ratio |", "|---|---|---|---|---|---|---|---|---|---|---|"]
for row in rows:
    h, peer, flash = row["hearth"], row["torch_seconds"], row["flash_seconds"]
    if "error" in h:
        lines.append("| %s | %s | %s | refused: %s | | | | | | | |" % (row["workload"], row["dtype"], row["shape"], h["error"]))
        continue
    seconds, cost, reached = h["seconds"]["median"], h["cost"], h["achieved"]
    lines.append("| %s | %s | %s | %.3f ms | %.2f | %.0f | %s | %s | %s | %s | %s |" % (
        row["workload"], row["dtype"], row["shape"], seconds * 1e3, cost["flops"] / seconds / 1e12,
        (cost["bytesRead"] + cost["bytesWritten"]) / seconds / 1e9,
        "%.0f / %.0f" % (100 * (reached.get("shareOfFlops") or 0), 100 * (reached.get("shareOfBandwidth") or 0)),
        *("-" if x is None else form(x) for x in (peer, flash) for form in (lambda x: "%.3f ms" % (x * 1e3), lambda x: "%.2f" % (x / seconds)))))
lines += ["", told]
open(os.path.join(a.results, "gpu.md"), "w").write("\n".join(lines) + "\n")
refused = [x for x in [row["hearth"] for row in rows] + [decoding, starting] if "error" in x]
if refused:
    sys.exit("compare.py: %d of %d cases were refused" % (len(refused), len(rows) + 2))
