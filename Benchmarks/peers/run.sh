#!/usr/bin/env bash
# Hearth among its peers in one interleaved run, on this machine: Benchmarks/peers/run.sh [ROUNDS]. Prints the table and keeps
# it, with the machine and the commit, under Benchmarks/baselines.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
rounds=${1:-3}
export PEERS_WORK=${PEERS_WORK:-${HEARTH_CACHE:-$HOME/.cache/hearth}/peers} PEERS_MIN_TIME=${PEERS_MIN_TIME:-0.25}
"$here/install.sh"
export PEERS_TORCH_PYTHON=$PEERS_WORK/venv-torch/bin/python
export PEERS_BLIS=$PEERS_WORK/blis/usr/lib/$(uname -m)-linux-gnu/blis-pthread/libblis.so.4
export PEERS_OPENBLAS_FILE=/usr/lib/$(uname -m)-linux-gnu/openblas-pthread/libopenblas.so.0
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
"$PEERS_WORK/venv/bin/python" "$here/run.py" --workloads "${PEERS_WORKLOADS:-gemm,lowp,attn,attn_mem,cold}" --threads 2 \
    --rounds "$rounds" --out "$results" --extra hearth="$root/.build/release/hearth bench peer" ${PEERS_ARGUMENTS:-}
name=$(lscpu | sed -n 's/^Model name: *//p' | head -n 1 | tr -cs 'A-Za-z0-9\n' '-' | sed 's/-*$//' | tr 'A-Z' 'a-z')
out=$root/Benchmarks/baselines/peers-${name:-cpu}.md
"$PEERS_WORK/venv/bin/python" "$here/table.py" "$results/pass1.json" --commit "$(git -C "$root" describe --always --dirty)" \
    --rounds "$rounds" | tee "$out"
echo "kept in ${out#"$root"/}" >&2
