#!/usr/bin/env bash
# Hearth's server beside llama.cpp's (PyPI xllamacpp) on one model file: run.sh [MODEL.gguf] [OPTIONS of peers.py]. Prints the table and keeps
# it, with the machine and the commit, under Benchmarks/baselines.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
venv=${HEARTH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hearth}/parity-venv
model=$("$root/scripts/fetch-model" | tail -n 1)
if [ -f "${1:-}" ]; then
    model=$1
    shift
fi
"$venv/bin/python" -c 'import xllamacpp' 2>/dev/null || {
    python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$root/Tests/parity/requirements.txt"
}
# Before the table, which is a file of the tree, is begun.
commit=$(git -C "$root" describe --always --dirty)
version=$("$venv/bin/pip" list --format=freeze 2>/dev/null | sed -n 's/^xllamacpp==//p')
cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
out=$root/Benchmarks/baselines/llm-peers-$(basename "$model" .gguf | tr '[:upper:]' '[:lower:]')-$(echo "$cpu" | tr -cs '[:alnum:]' - | tr '[:upper:]' '[:lower:]' | sed 's/^-//; s/-$//' | cut -c1-24).md
{
    echo "# Hearth's server beside llama.cpp's: $(basename "$model")"
    echo
    echo "$(nproc) cores of $cpu, $(date -u +%Y-%m-%d), commit $commit, xllamacpp $version; medians, interleaved (Benchmarks/llm/peers.py says what is measured)."
    echo "llama.cpp as the wheel was built: $("$venv/bin/python" -c 'import xllamacpp; print(xllamacpp.get_system_info())' 2>/dev/null | tail -n 1)"
    echo "Ratios above 1 say that Hearth is faster; for load and memory, below 1 that it needs less."
    echo
    "$venv/bin/python" "$here/peers.py" "$root/.build/release/hearth" "$model" "$@"
} | tee "$out"
