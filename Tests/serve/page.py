"""The page at / in a browser (Debian's chromium): asks, streams, stops, forgets, and says what is wrong.

    page.py HEARTH MODEL.gguf [--screenshot FILE.png]
"""
import hashlib
import json
import re
import sys
import tempfile
import urllib.request

from playwright.sync_api import expect, sync_playwright

from common import Server

program, model = sys.argv[1:3]
keys = tempfile.NamedTemporaryFile("w", suffix=".keys")
keys.write("alice %s\n" % hashlib.sha256(b"sk-test").hexdigest())
keys.flush()

with Server(program, model, "--api-keys", keys.name, "--model-name", "sm<o>l") as server, sync_playwright() as browsers:
    browser = browsers.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"])
    page = browser.new_page(viewport={"width": 800, "height": 640})
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if "Content Security" in message.text else None)
    page.goto(server.url + "/")
    expect(page.get_by_role("heading", name="sm<o>l")).to_be_visible()

    def ask(text):
        page.get_by_label("Message").fill(text)
        page.keyboard.press("Enter")

    ask("What is the capital of France?")
    expect(page.locator("#talk .error")).to_contain_text("an API key of this server is needed")
    page.get_by_text("Settings").click()
    page.get_by_label("API key").fill("sk-test")
    page.get_by_label("Temperature").fill("0")
    page.get_by_label("Tokens at most").fill("40")
    page.get_by_role("button", name="Forget").click()
    expect(page.locator("#talk li")).to_have_count(0)

    ask("What is the capital of France?")
    body = {"messages": [{"role": "user", "content": "What is the capital of France?"}], "temperature": 0, "max_tokens": 40}
    request = urllib.request.Request(server.url + "/v1/chat/completions", json.dumps(body).encode(), {"Authorization": "Bearer sk-test"})
    answer = json.load(urllib.request.urlopen(request))["choices"][0]["message"]["content"]
    expect(page.locator("#talk .assistant")).to_contain_text(answer)
    expect(page.locator("#talk small")).to_contain_text(re.compile(r"\d+ tokens, \d+ ms to the first, [\d.]+ tokens/s"))
    if len(sys.argv) > 4:
        page.screenshot(path=sys.argv[4])
    # What was said before is part of what is asked next.
    ask("<b>And of Italy?</b>")
    expect(page.locator("#talk .user").nth(1)).to_have_text("<b>And of Italy?</b>")
    expect(page.locator("#talk small")).to_have_count(2)

    page.get_by_label("Tokens at most").fill("4000")
    page.get_by_label("Temperature").fill("1")
    ask("Tell me a very long story about everything.")
    expect(page.locator("#talk .assistant").nth(2)).not_to_be_empty()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Send")).to_be_enabled()

    page.get_by_label("Temperature").fill("-1")
    ask("Hello?")
    expect(page.locator("#talk .error").last).to_contain_text("temperature -1.0 is not a number from 0 up")
    assert not problems, problems
    browser.close()
print("asked, streamed, stopped, forgot and refused in chromium")
