#!/usr/bin/env bash
# Hearth's Vulkan kernels beside ggml's and ncnn's on the same software driver, in one interleaved run:
# Benchmarks/peers/run-vulkan.sh [ROUNDS]. Keeps the table under Benchmarks/baselines.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
rounds=${1:-3}
export PEERS_WORK=${PEERS_WORK:-${HEARTH_CACHE:-$HOME/.cache/hearth}/peers} PEERS_MIN_TIME=${PEERS_MIN_TIME:-0.25}
"$here/install-vulkan.sh"
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
"$PEERS_WORK/venv/bin/python" "$here/run.py" --workloads gemm_vk,attn_vk,lowp_vk --threads 2 --rounds "$rounds" \
    --out "$results" --peers "${PEERS_VULKAN:-ncnn-vulkan,ggml-vulkan,hearth}" \
    --extra hearth="$root/.build/release/hearth bench peer --device vulkan:0"
name=$(lscpu | sed -n 's/^Model name: *//p' | head -n 1 | tr -cs 'A-Za-z0-9\n' '-' | sed 's/-*$//' | tr 'A-Z' 'a-z')
out=$root/Benchmarks/baselines/vulkan-peers-${name:-cpu}.md
driver=$("$root/.build/release/hearth" devices | sed -n 's/^vulkan:0  *software  *\(.*)\)  .*/\1/p')
"$PEERS_WORK/venv/bin/python" "$here/table.py" "$results/pass1.json" --commit "$(git -C "$root" describe --always --dirty)" \
    --rounds "$rounds" --driver "${driver:-Vulkan}" | tee "$out"
echo "kept in ${out#"$root"/}" >&2
