#!/usr/bin/env bash
# What `make bench-vulkan-peers` needs beside install.sh: ggml's Vulkan backend, built from the same source. About ten minutes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PEERS_WORK=${PEERS_WORK:-${HEARTH_CACHE:-$HOME/.cache/hearth}/peers}
"$here/install.sh"
cd "$PEERS_WORK"
[ -f complete-vulkan ] && exit 0
log=$PEERS_WORK/install.log
step() { echo "peers: $1" >&2; shift; "$@" >>"$log" 2>&1 || { tail -n 5 "$log" >&2; exit 69; }; }
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
step "the shader compiler" "${as_root[@]}" apt-get install -y -q glslc spirv-headers libvulkan-dev
# ggml needs newer headers than Debian 12's; the loader stays the system's.
headers=$("$here/../../scripts/fetch-drivers" | tail -n 1)/root/usr/include
backend() {
    local source=$PEERS_WORK/llama_cpp_python-0.3.36/vendor/llama.cpp
    mkdir -p vulkan-headers && rm -rf vulkan-headers/* && cp -r "$headers"/vulkan "$headers"/vk_video vulkan-headers/ &&
        cmake -S "$source" -B build-vk -G Ninja -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DGGML_VULKAN=ON \
        -DVulkan_INCLUDE_DIR="$PEERS_WORK/vulkan-headers" -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF \
        -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_TESTS=OFF \
        -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_OPENSSL=OFF -DCMAKE_C_COMPILER=gcc -DCMAKE_CXX_COMPILER=g++ &&
        ninja -C build-vk ggml ggml-cpu ggml-vulkan &&
        c++ -O2 -std=c++17 -I"$source/ggml/include" "$here/native/ggml_bench.cpp" -o bin/ggml_bench_vk \
        -Lbuild-vk/bin -lggml -lggml-base -Wl,-rpath,"$PEERS_WORK/build-vk/bin"
}
step "ggml's Vulkan backend" backend
touch complete-vulkan
