#!/usr/bin/env bash
# Hearth among its peers in one interleaved run, on this machine. Prints the table and keeps it, with the machine and the commit,
# under Benchmarks/baselines.
#
#     run.sh [ROUNDS]            on the CPU, among ten other runtimes
#     run.sh vulkan [ROUNDS]     the Vulkan kernels, beside ggml's and ncnn's on the same software driver
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
hearth=$root/.build/release/hearth
export PEERS_WORK=${PEERS_WORK:-${HEARTH_CACHE:-$HOME/.cache/hearth}/peers} PEERS_MIN_TIME=${PEERS_MIN_TIME:-0.15}
export PEERS_TORCH_PYTHON=$PEERS_WORK/venv-torch/bin/python
export PEERS_BLIS=$PEERS_WORK/blis/usr/lib/$(uname -m)-linux-gnu/blis-pthread/libblis.so.4
export PEERS_OPENBLAS_FILE=/usr/lib/$(uname -m)-linux-gnu/openblas-pthread/libopenblas.so.0
if [ "${1:-}" = vulkan ]; then
    shift
    "$here/install.sh" vulkan
    driver=$("$hearth" devices | sed -n 's/^vulkan:0  *software  *\(.*)\)  .*/\1/p')
    table=vulkan-peers turn="$hearth bench peer --device vulkan:0"
    arguments=(--workloads gemm_vk,attn_vk,lowp_vk --peers "${PEERS_VULKAN:-ncnn-vulkan,ggml-vulkan,hearth}")
    note=(--driver "${driver:-Vulkan}")
else
    "$here/install.sh"
    table=peers turn="$hearth bench peer"
    arguments=(--workloads "${PEERS_WORKLOADS:-gemm,lowp,attn,attn_mem,cold}")
    note=()
    # As on every node: what this machine does best is measured once.
    "$hearth" probe --device cpu --threads 2 >&2
fi
# Many short turns rather than few long ones: what disturbs a machine stays for seconds.
rounds=${1:-5}
# Before the table, which is a file of the tree, is begun.
commit=$(git -C "$root" describe --always --dirty)
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
# shellcheck disable=SC2086
"$PEERS_WORK/venv/bin/python" "$here/run.py" "${arguments[@]}" --threads 2 --rounds "$rounds" --out "$results" \
    --extra hearth="$turn" ${PEERS_ARGUMENTS:-}
name=$(lscpu | sed -n 's/^Model name: *//p' | head -n 1 | tr -cs 'A-Za-z0-9\n' '-' | sed 's/-*$//' | tr 'A-Z' 'a-z')
out=$root/Benchmarks/baselines/$table-${name:-cpu}.md
"$PEERS_WORK/venv/bin/python" "$here/table.py" "$results/pass1.json" --commit "$commit" \
    --rounds "$rounds" "${note[@]}" | tee "$out"
echo "kept in ${out#"$root"/}" >&2
