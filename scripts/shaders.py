#!/usr/bin/env python3
"""Compiles Shaders/variants.json to Shaders/spv and the table in CModules/CShaders.

    shaders.py build     compile every module with the pinned slangc, validate, write SPIR-V, table and source hash
    shaders.py check     with slangc: recompile and compare bytes; without: compare the recorded source hash
    shaders.py tools     fetch the pinned slangc into tools/slang

Exit code 1 when sources and committed SPIR-V disagree, 69 when `build` finds no compiler.
"""
import hashlib
import itertools
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHADERS = os.path.join(ROOT, "Shaders")
SPV = os.path.join(SHADERS, "spv")
TABLE = os.path.join(ROOT, "CModules", "CShaders", "shaders.c")
TOOLS = os.path.join(ROOT, "tools", "slang")
SLANGC = os.path.join(TOOLS, "slangtorch", "bin", "slangc")
PINNED = ["slangtorch==1.3.22", "slangpy==0.43.1"]
VERSION = "2026.14.1"
MODULE_FOLDERS = ["tile", "reduce", "quant"]
OP_SOURCE = 3


FIELDS = {"operation", "variant", "variants", "source", "width", "tile", "constants", "each", "defines", "bindings", "pushBytes", "features"}
WIDTHS = ["any", "wide", "narrow"]


def filled(text, values, lower):
    for name, value in values.items():
        text = text.replace("${%s}" % name, value.lower() if lower else value)
    return text


def profile(features):
    """Of slangc: what it lets a shader use without saying so."""
    if "cooperative-matrix" in features:
        wanted = ["spvCooperativeMatrixKHR"] + (["spvBFloat16KHR"] if "bf16" in features else [])
        if "cooperative-matrix2" in features:
            wanted += ["spvCooperativeMatrix%sNV" % name for name in ("Reductions", "Conversions", "PerElementOperations")]
        if "cooperative-matrix-workgroup" in features:
            wanted += ["spvCooperativeMatrixTensorAddressingNV", "spvTensorAddressingNV"]
        return "+".join(["spirv_1_6"] + wanted)
    return "sm_6_4+spirv_1_5" if "integer-dot" in features else "spirv_1_5"


def modules():
    """Every module of the manifest, families written out: name, operation, variants and what it is compiled from."""
    out = []
    for entry in json.load(open(os.path.join(SHADERS, "variants.json")))["modules"]:
        unknown = set(entry) - FIELDS
        if unknown or "operation" not in entry or not os.path.exists(os.path.join(SHADERS, entry.get("source", "?"))):
            sys.exit("variants.json: %s: unknown fields %s, or no operation or source" % (entry.get("operation"), sorted(unknown)))
        each = entry.get("each", {})
        for values in itertools.product(*each.values()):
            values = dict(zip(each, values))
            operation = filled(entry["operation"], values, True)
            alone = {"constants": entry.get("constants", []), "tile": entry.get("tile", [0, 0])}
            variants = entry.get("variants", {entry.get("variant", "only"): alone})
            out.append({
                "name": operation + "_" + os.path.basename(entry["source"])[: -len(".slang")] + "_" + "_".join(variants),
                "operation": operation, "variants": variants, "source": entry["source"], "width": entry.get("width", "any"),
                "defines": {key: filled(value, values, False) for key, value in entry.get("defines", {}).items()},
                "profile": profile(entry.get("features", [])),
                "bindings": entry["bindings"], "pushBytes": entry["pushBytes"], "features": entry.get("features", []),
            })
    ways = [(m["operation"], v) for m in out for v in m["variants"]]
    if len(set(ways)) != len(ways):
        sys.exit("variants.json: listed twice: %s" % sorted({w for w in ways if ways.count(w) > 1}))
    return out


def source_hash():
    """Of every .slang file and the manifest, names included, in a fixed order."""
    digest = hashlib.sha256(VERSION.encode())
    for folder, _, files in sorted(os.walk(SHADERS)):
        for name in sorted(files):
            if name.endswith(".slang") or name == "variants.json":
                path = os.path.join(folder, name)
                digest.update(os.path.relpath(path, SHADERS).encode() + b"\0" + open(path, "rb").read())
    return digest.hexdigest()


def without_op_source(spirv):
    """Drops OpSource: Debian 12's spirv-val and validation layer refuse the language Slang."""
    words = struct.unpack("<%dI" % (len(spirv) // 4), spirv)
    out, at = list(words[:5]), 5
    while at < len(words):
        length = words[at] >> 16
        if words[at] & 0xFFFF != OP_SOURCE:
            out.extend(words[at : at + length])
        at += length
    return struct.pack("<%dI" % len(out), *out)


def spirv_val(is_new):
    """The validator: of scripts/fetch-drivers where that was run, else Debian 12's, which knows no cooperative matrices."""
    cache = os.environ.get("HEARTH_CACHE") or os.path.expanduser("~/.cache/hearth")
    root = os.path.join(cache, "drivers", "unstable", "root", "usr")
    if os.path.exists(os.path.join(root, "bin", "spirv-val")):
        loader, libraries = os.path.join(root, "lib64", "ld-linux-x86-64.so.2"), os.path.join(root, "lib", "x86_64-linux-gnu")
        return [loader, "--library-path", libraries, os.path.join(root, "bin", "spirv-val")]
    return [] if is_new or not shutil.which("spirv-val") else ["spirv-val"]


def compile_module(module, out):
    command = [SLANGC, os.path.join(SHADERS, module["source"]), "-target", "spirv", "-profile", module["profile"] + "+spvGroupNonUniform+spvGroupNonUniformArithmetic+spvGroupNonUniformBallot+spvGroupNonUniformShuffle", "-O2"]
    command += ["-entry", "main", "-stage", "compute", "-fvk-use-entrypoint-name", "-warnings-as-errors", "all"]
    if "spvBFloat16KHR" in module["profile"]:
        command += ["-warnings-disable", "41012"]  # slangc names capabilities that the type does not need
    for folder in MODULE_FOLDERS:
        command += ["-I", os.path.join(SHADERS, folder)]
    command += ["-D%s=%s" % pair for pair in sorted(module["defines"].items())]
    done = subprocess.run(command + ["-o", out], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("%s: %s%s" % (module["name"], done.stdout, done.stderr))
    data = without_op_source(open(out, "rb").read())
    open(out, "wb").write(data)
    validator = spirv_val(is_new="spvCooperativeMatrixKHR" in module["profile"])
    if validator:
        subprocess.run(validator + ["--target-env", "vulkan1.3", out], check=True)
    return data


def table():
    listed = modules()
    lines = ["// Generated by scripts/shaders.py from Shaders/variants.json: do not edit.", '#include "CShaders.h"', ""]
    for m in listed:
        lines += ["static const _Alignas(4) unsigned char %s[] = {" % m["name"], '#embed "../../Shaders/spv/%s.spv"' % m["name"], "};"]
    lines += ["", "const cshaders_entry cshaders_table[] = {"]
    for m in listed:
        for name, v in m["variants"].items():
            constants = v.get("constants", [])
            lines.append('    {"%s", "%s", "%s", "%s", %s, sizeof %s, %d, %d, %d, {%d, %d}, %d, {%s}},' % (
                m["name"], m["operation"], name, ",".join(m["features"]), m["name"], m["name"], m["bindings"], m["pushBytes"],
                WIDTHS.index(m["width"]), *v.get("tile", [0, 0]), len(constants), ", ".join(map(str, constants or [0]))))
    lines += ["};", "const int cshaders_count = sizeof cshaders_table / sizeof *cshaders_table;",
              'const char *const cshaders_hash = "%s";' % source_hash(), "",
              "static const unsigned char tuning[] = {", '#embed "../../Shaders/tuning.json"', "};",
              "const unsigned char *const cshaders_tuning = tuning;", "const unsigned long cshaders_tuning_byte_count = sizeof tuning;", ""]
    return "\n".join(lines)


def compile_all(folder):
    """Every module into `folder`, as many at once as there are processors."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda m: (m, compile_module(m, os.path.join(folder, m["name"] + ".spv"))), modules()))


def build():
    if not os.path.exists(SLANGC):
        print("no slangc in tools/slang: run scripts/shaders.py tools", file=sys.stderr)
        sys.exit(69)
    os.makedirs(SPV, exist_ok=True)
    wanted = {m["name"] + ".spv" for m in modules()} | {"sources.sha256"}
    for stale in set(os.listdir(SPV)) - wanted:
        os.remove(os.path.join(SPV, stale))
    done = compile_all(SPV)
    print("%d modules, %d bytes" % (len(done), sum(len(data) for _, data in done)))
    open(TABLE, "w").write(table())
    open(os.path.join(SPV, "sources.sha256"), "w").write(source_hash() + "\n")


def check():
    recorded = open(os.path.join(SPV, "sources.sha256")).read().strip()
    problems = [] if recorded == source_hash() else ["shader sources changed since Shaders/spv was made"]
    if open(TABLE).read() != table():
        problems.append("CModules/CShaders/shaders.c is not what variants.json gives")
    problems += ["Shaders/spv/%s.spv is missing" % m["name"] for m in modules() if not os.path.exists(os.path.join(SPV, m["name"] + ".spv"))]
    if os.path.exists(SLANGC) and not problems:
        with tempfile.TemporaryDirectory() as folder:
            for m, fresh in compile_all(folder):
                if fresh != open(os.path.join(SPV, m["name"] + ".spv"), "rb").read():
                    problems.append("%s.spv differs from a fresh compilation" % m["name"])
    for problem in problems:
        print("shaders: %s (run `make shaders`)" % problem, file=sys.stderr)
    how = "recompiled and compared" if os.path.exists(SLANGC) else "source hash compared (no slangc here)"
    print("shaders: %d modules, %s: %s" % (len(modules()), how, "differ" if problems else "agree"))
    sys.exit(1 if problems else 0)


def tools():
    if os.path.exists(SLANGC):
        return
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--target", TOOLS]
    subprocess.run(pip + PINNED, check=True)
    binary = os.path.join(TOOLS, "slangtorch", "bin")
    link = os.path.join(binary, "libslang-glslang-%s.so" % VERSION)
    if not os.path.exists(link):
        os.symlink("../../slangpy/libslang-glslang-2026.12.so", link)
    os.chmod(SLANGC, 0o755)


if __name__ == "__main__":
    {"build": build, "check": check, "tools": tools}[sys.argv[1] if len(sys.argv) == 2 else "check"]()
