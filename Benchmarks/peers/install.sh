#!/usr/bin/env bash
# Fetches the peers into $PEERS_WORK (default ~/.cache/hearth/peers): Python runtimes from PyPI, llama.cpp's ggml built from
# the source package of llama-cpp-python, BLIS and OpenBLAS from Debian. About 8 GB and fifteen minutes on two cores.
#
#     install.sh            the peers on the CPU
#     install.sh vulkan     and ggml's Vulkan backend, ten minutes more
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PEERS_WORK=${PEERS_WORK:-${HEARTH_CACHE:-$HOME/.cache/hearth}/peers}
mkdir -p "$PEERS_WORK/bin"
cd "$PEERS_WORK"
log=$PEERS_WORK/install.log
step() { echo "peers: $1" >&2; shift; "$@" >>"$log" 2>&1 || { tail -n 5 "$log" >&2; exit 69; }; }
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
python() { [ -x "$1/bin/pip" ] || python3 -m venv "$1"; "$1/bin/pip" install -q "${@:2}"; }
blis() { apt-get download -q libblis4-pthread && dpkg -x libblis4-pthread_*.deb blis; }
source=$PEERS_WORK/llama_cpp_python-0.3.36/vendor/llama.cpp
fetch_llama() {
    venv/bin/pip download -q --no-deps --no-binary llama-cpp-python llama-cpp-python==0.3.36 &&
        tar xf llama_cpp_python-0.3.36.tar.gz
}
# ggml TREE PROGRAM TARGETS CMAKE-OPTIONS...: its libraries in a build tree of their own, and our timer on them
ggml() {
    local tree=$1 program=$2 targets=$3
    # shellcheck disable=SC2086
    cmake -S "$source" -B "$tree" -G Ninja -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_BUILD_UI=OFF \
        -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
        -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_OPENSSL=OFF -DCMAKE_C_COMPILER=gcc \
        -DCMAKE_CXX_COMPILER=g++ "${@:4}" &&
        ninja -C "$tree" $targets &&
        c++ -O2 -std=c++17 -I"$source/ggml/include" "$here/native/ggml_bench.cpp" -o "bin/$program" \
            -L"$tree/bin" -lggml -lggml-base -Wl,-rpath,"$PEERS_WORK/$tree/bin"
}

if [ ! -f complete ]; then
    step "compilers and OpenBLAS" "${as_root[@]}" apt-get install -y -q build-essential cmake ninja-build libopenblas0-pthread
    step "Python runtimes" python venv -r "$here/requirements.txt"
    step "PyTorch" python venv-torch torch==2.15.0 numpy setuptools
    step "BLIS" blis
    step "llama.cpp's source" fetch_llama
    step "llama.cpp's ggml" ggml build-cpu ggml_bench "ggml ggml-cpu"
    step "the BLAS timer" cc -O2 "$here/native/cblas_bench.c" -o bin/cblas_bench -ldl
    touch complete
fi
if [ "${1:-}" = vulkan ] && [ ! -f complete-vulkan ]; then
    step "the shader compiler" "${as_root[@]}" apt-get install -y -q glslc spirv-headers libvulkan-dev
    # ggml needs newer headers than Debian 12's; the loader stays the system's.
    headers=$("$here/../../scripts/fetch-drivers" | tail -n 1)/root/usr/include
    rm -rf vulkan-headers && mkdir vulkan-headers
    step "newer Vulkan headers" cp -r "$headers/vulkan" "$headers/vk_video" vulkan-headers/
    step "ggml's Vulkan backend" ggml build-vk ggml_bench_vk "ggml ggml-cpu ggml-vulkan" -DGGML_VULKAN=ON \
        -DVulkan_INCLUDE_DIR="$PEERS_WORK/vulkan-headers"
    touch complete-vulkan
fi
