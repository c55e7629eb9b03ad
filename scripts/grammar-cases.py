#!/usr/bin/env python3
"""Test cases of llama.cpp as JSON: test_grammar and test_schema calls of test-grammar-integration.cpp, grammars that it refuses,
and its grammar files.

    grammar-cases.py LLAMA_CPP_FOLDER OUT.json

A case: {"name", "grammar" or "schema", "pass": [...], "fail": [...]}; texts are lists of strings and, for a token as a whole, numbers.
"""
import json
import re
import sys
from pathlib import Path

TOKEN = re.compile(r'''
    \s+ | //[^\n]*                                  # left out
  | R"""\((?P<raw>.*?)\)"""
  | "(?P<plain>(?:[^"\\]|\\.)*)"
  | token\((?P<token>\d+)\)
  | (?P<mark>[{}(),+;])
  | (?P<word>[A-Za-z_]\w*)
''', re.X | re.S)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


def tokens(source):
    at = 0
    while at < len(source):
        match = TOKEN.match(source, at)
        if not match:
            raise SystemExit("grammar-cases: cannot read %r" % source[at:at + 40])
        at = match.end()
        if match.lastgroup == "plain":
            yield "text", re.sub(r"\\(.)", lambda m: ESCAPES[m[1]], match["plain"])
        elif match.lastgroup == "raw":
            yield "text", match["raw"]
        elif match.lastgroup == "token":
            yield "token", int(match["token"])
        elif match.lastgroup:
            yield match.lastgroup, match[0]


def calls(source, name):
    """The arguments of each call: texts, and lists of them."""
    for start in re.finditer(r"^\s+%s\(\n" % name, source, re.M):
        arguments, current, stack = [], [], None
        for kind, value in tokens(source[start.end():]):
            if kind in ("text", "token"):
                current.append(value)
            elif value == "{":
                stack = []
            elif value in (",", "}", ")"):
                if current:
                    (arguments if stack is None else stack).append(current)
                    current = []
                if value == "}":
                    arguments.append(stack)
                    stack = None
                if value == ")":
                    break
        yield arguments


def main():
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    source = (folder / "tests/test-grammar-integration.cpp").read_text()
    cases = []
    for kind in ("grammar", "schema"):
        for name, text, passing, failing in calls(source, "test_" + kind):
            cases.append({"name": name[0], kind: "".join(text), "pass": passing, "fail": failing})
    for path in sorted((folder / "grammars").glob("*.gbnf")):
        cases.append({"name": path.name, "grammar": path.read_text(), "pass": [], "fail": []})
    # Of the functions test_failure_*: what asks for another root than "root" is left out.
    written = re.findall(r'const std::string \w+_str =\s*R"""\((.*?)\)"""', source, re.S)
    refused = [text for text in written if "foobar" not in text]
    if len(cases) < 50 or len(refused) != 6:
        raise SystemExit("grammar-cases: found %d cases and %d refused grammars" % (len(cases), len(refused)))
    out.write_text(json.dumps({"cases": cases, "refused": refused}, ensure_ascii=False, indent=1))


main()
