#!/usr/bin/env bash
# Fetches the peers into $PEERS_WORK (default ~/.cache/hearth/peers): Python runtimes from PyPI, llama.cpp's ggml built from
# the source package of llama-cpp-python, BLIS and OpenBLAS from Debian. About 8 GB and fifteen minutes on two cores.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PEERS_WORK=${PEERS_WORK:-${HEARTH_CACHE:-$HOME/.cache/hearth}/peers}
mkdir -p "$PEERS_WORK/bin"
cd "$PEERS_WORK"
[ -f complete ] && exit 0
log=$PEERS_WORK/install.log
step() { echo "peers: $1" >&2; shift; "$@" >>"$log" 2>&1 || { tail -n 5 "$log" >&2; exit 69; }; }
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
step "compilers and OpenBLAS" "${as_root[@]}" apt-get install -y -q build-essential cmake ninja-build libopenblas0-pthread
python() { [ -x "$1/bin/pip" ] || python3 -m venv "$1"; "$1/bin/pip" install -q "${@:2}"; }
step "Python runtimes" python venv -r "$here/requirements.txt"
step "PyTorch" python venv-torch torch==2.15.0 numpy setuptools
blis() { apt-get download -q libblis4-pthread && dpkg -x libblis4-pthread_*.deb blis; }
step "BLIS" blis
llama() {
    venv/bin/pip download -q --no-deps --no-binary llama-cpp-python llama-cpp-python==0.3.36
    tar xf llama_cpp_python-0.3.36.tar.gz
    local source=$PEERS_WORK/llama_cpp_python-0.3.36/vendor/llama.cpp
    cmake -S "$source" -B build-cpu -G Ninja -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_BUILD_UI=OFF \
        -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
        -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_OPENSSL=OFF -DCMAKE_C_COMPILER=gcc -DCMAKE_CXX_COMPILER=g++
    ninja -C build-cpu ggml ggml-cpu
    c++ -O2 -std=c++17 -I"$source/ggml/include" "$here/native/ggml_bench.cpp" -o bin/ggml_bench \
        -Lbuild-cpu/bin -lggml -lggml-base -Wl,-rpath,"$PEERS_WORK/build-cpu/bin"
}
step "llama.cpp's ggml" llama
step "the BLAS timer" cc -O2 "$here/native/cblas_bench.c" -o bin/cblas_bench -ldl
touch complete
