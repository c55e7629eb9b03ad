#!/usr/bin/env bash
# Packs hearth, and the test bundle where it was built, with every library they need, the C library aside, into a folder that
# runs where there is no Swift: Benchmarks/gpu/pack.sh FOLDER. Start them by FOLDER/hearth and FOLDER/tests.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$1
binary=$root/.build/release/hearth
mkdir -p "$folder/lib"
strip -o "$folder/lib/hearth" "$binary"
libraries=$(ldd "$binary" | awk '$3 ~ /^\// {print $3}')
bundle=$root/.build/release/hearthPackageTests.xctest
if [ -f "$bundle" ]; then
    strip -o "$folder/lib/tests" "$bundle"
    libraries+=$'\n'$(ldd "$bundle" | awk '$3 ~ /^\// {print $3}')
fi
# Opened at run time: the Vulkan loader and OpenBLAS with what it needs.
for name in libvulkan.so.1 libopenblas.so.0; do
    path=$(ldconfig -p | awk -v name="$name" '$1 == name && !seen++ {print $NF}')
    [ -n "$path" ] && libraries+=$'\n'"$path"$'\n'"$(ldd "$path" | awk '$3 ~ /^\// {print $3}')"
done
# Of the machine it will run on: the C library and its companions.
sort -u <<<"$libraries" | grep -vE '/(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|util))\.so' | grep . | xargs -I{} cp -L {} "$folder/lib/"
for program in hearth tests; do
    [ -f "$folder/lib/$program" ] || continue
    cat >"$folder/$program" <<'EOF'
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" exec "$here/lib/$(basename "$0")" "$@"
EOF
    chmod +x "$folder/$program"
done
