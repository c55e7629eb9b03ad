#!/usr/bin/env bash
# Hearth on a GPU beside PyTorch (cuBLAS, SDPA) in one run: what the device can do, whether the kernels are right there, tuning,
# then both in turn on the same shapes. Writes JSON and a table of ratios.
#
#     Benchmarks/gpu/run.sh                      here, on the first Vulkan GPU
#     Benchmarks/gpu/run.sh --pack OUT           only pack hearth and this folder into OUT, for a machine without Swift
#     OUT/run.sh --results FOLDER                there
#     OPERATIONS=gemm_f32                        tune these, not the 16-bit products (beginnings of names, commas between)
#     Benchmarks/gpu/run.sh --device vulkan:0 --tiny    small shapes: the same way on a software driver, so that it cannot rot
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
device=vulkan size=full results= pack=
while [ $# -gt 0 ]; do
    case $1 in
    --device) device=$2 && shift 2 ;;
    --tiny) size=tiny && shift ;;
    --results) results=$2 && shift 2 ;;
    --pack) pack=$2 && shift 2 ;;
    *) echo "run.sh: unknown option $1" >&2 && exit 64 ;;
    esac
done
if [ -x "$here/hearth" ]; then
    hearth=$here/hearth
else
    hearth=$here/../../.build/release/hearth
fi
if [ -n "$pack" ]; then
    "$here/pack.sh" "$pack"
    cp "$here/run.sh" "$here"/*.py "$pack/"
    git -C "$here" describe --always --dirty >"$pack/commit"
    du -sh "$pack" >&2
    exit 0
fi
results=${results:-$here/../baselines/gpu}
mkdir -p "$results"
failed=0
export HEARTH_CACHE=${HEARTH_CACHE:-$results/cache}
python=${PYTHON:-python3}
say() { printf '== %s\n' "$*"; }

say "devices"
"$hearth" devices --json >"$results/devices.json"
"$hearth" devices
say "ceilings, matrix units included (an H200 gives 615 to 652 TFLOP/s by mma-class instructions; well above: the driver reaches past them)"
"$hearth" probe --device "$device" --json >"$results/ceilings.json"
"$hearth" probe --device "$device"
if [ -x "$here/tests" ]; then
    say "are the kernels right here?"
    if ! "$here/tests" --testing-library swift-testing --no-parallel >"$results/tests.txt" 2>&1 \
        --filter 'GEMMTests|AttentionTests|RowKernelTests|VariantTests|RecoveryTests'; then
        failed=1
        grep -E '^✘' "$results/tests.txt" | head -n 20 || true
    fi
    tail -n 1 "$results/tests.txt"
fi
if [ $size = full ]; then
    say "tuning"
    "$hearth" tune --device "$device" --seconds 0.05 --operations "${OPERATIONS:-gemm_f16,gemm_bf16}" 2>&1 | tee "$results/tuning.txt"
    seconds=0.5
else
    "$hearth" tune --device "$device" --seconds 0.001 >"$results/tuning.txt"
    seconds=0.01
fi
say "kernels in turn with PyTorch"
"$python" "$here/compare.py" --hearth "$hearth" --device "$device" --size $size --seconds $seconds --results "$results" \
    --commit "$(cat "$here/commit" 2>/dev/null || git -C "$here" describe --always --dirty)"
say "results are in $results"
[ $failed -eq 0 ] || { echo "run.sh: kernel tests failed, see $results/tests.txt" >&2 && exit 1; }
