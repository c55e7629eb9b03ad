"""What Jinja itself makes of llama.cpp's chat templates, for ChatTemplateTests.

    templates.py TEMPLATE_FOLDER OUT.json

jinja2 set as Hugging Face's transformers sets it. Each template renders each conversation; null where it refuses or fails.
"""
import datetime
import json
import sys
from pathlib import Path

import jinja2
import jinja2.ext
import jinja2.sandbox

USER, ASSISTANT, SYSTEM = ({"role": role} for role in ("user", "assistant", "system"))
CONVERSATIONS = [
    [{**USER, "content": "Say hello."}],
    [{**SYSTEM, "content": "You are \"brief\".\n"}, {**USER, "content": "  Größe? 大きさ {{ x }}\n"}],
    [{**SYSTEM, "content": "Answer."}, {**USER, "content": "1"}, {**ASSISTANT, "content": "one"}, {**USER, "content": "2"}],
    [{**USER, "content": "a"}, {**ASSISTANT, "content": "<think>\nhm\n</think>\n\nb"}, {**USER, "content": "<tool_response>c</tool_response>"}],
    [{**USER, "content": ""}, {**ASSISTANT, "content": "x"}],
]


def refuse(message):
    raise jinja2.TemplateError(message)


class Generation(jinja2.ext.Extension):
    """Marks what a trainer learns from: nothing to render."""
    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols, Generation])
environment.filters["tojson"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)
environment.globals["raise_exception"] = refuse
environment.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
cases = []
for path in sorted(Path(sys.argv[1]).glob("*.jinja")):
    text, rendered = path.read_text(encoding="utf-8"), []
    for messages in CONVERSATIONS:
        for generates in (True, False):
            try:
                rendered.append(environment.from_string(text).render(
                    messages=messages, add_generation_prompt=generates, bos_token="<s>", eos_token="</s>"))
            except Exception:
                rendered.append(None)
    cases.append({"name": path.stem, "template": text, "rendered": rendered})
json.dump({"conversations": CONVERSATIONS, "cases": cases}, open(sys.argv[2], "w"))
print("%d templates, %d texts, %d refusals" % (
    len(cases), sum(r is not None for c in cases for r in c["rendered"]), sum(r is None for c in cases for r in c["rendered"])))
