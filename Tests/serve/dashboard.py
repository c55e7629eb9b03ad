"""The coordinator's pages in a browser (Debian's chromium): log in, a job with its log, a node, data, and a ledger that the browser checks.

    dashboard.py HEARTH MODEL.gguf [--screenshots FOLDER]
"""
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time

from playwright.sync_api import expect, sync_playwright

program = sys.argv[1]
shots = sys.argv[4] if len(sys.argv) > 4 else None
folder = pathlib.Path(tempfile.mkdtemp())
daemons = {}


def start(name, *arguments):
    """A daemon that listens; a coordinator that was here before keeps its port."""
    address = folder / name / "address"
    listen = address.read_text().split("//")[1] if name == "coordinator" and address.exists() else "127.0.0.1:0"
    address.unlink(missing_ok=True)
    log = open(folder / f"{name}.log", "a")
    command = [program, name, "--state", folder / name, "--listen", listen, *arguments]
    daemons[name] = subprocess.Popen(command, stdout=log, stderr=log)
    end = time.time() + 60
    while not address.exists():
        if daemons[name].poll() is not None or time.time() > end:
            sys.exit(f"{name} did not start: " + (folder / f"{name}.log").read_text())
        time.sleep(0.05)
    return address.read_text()


def stop(name):
    daemons[name].terminate()
    assert daemons[name].wait(30) == 0, name


def hearth(*arguments):
    return subprocess.run([program, *arguments], check=True, capture_output=True, text=True, timeout=120).stdout


url = start("coordinator")
token_file = str(folder / "coordinator/token")
os.environ |= {"HEARTH_COORDINATOR": url, "HEARTH_TOKEN_FILE": token_file}
start("agent", "--coordinator", url, "--token-file", token_file, "--name", "n1", "--devices", "cpu")
spec = folder / "spec.yaml"
spec.write_text("kind: bench\nname: <b>x</b>\ndevice: cpu\ncases: [gemm 64x64x64 x10, norm 8x64 x10]\n")
hearth("submit", "--follow", str(spec))

with sync_playwright() as browsers:
    browser = browsers.chromium.launch(
        executable_path="/usr/bin/chromium",
        args=["--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"])
    page = browser.new_page(viewport={"width": 1100, "height": 800})
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if "Content Security" in message.text else None)

    def shot(name, scheme="light"):
        if shots:
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=f"{shots}/{name}.png", full_page=True)

    # Nobody sees anything before they said who they are; a wrong token is told so.
    page.goto(url + "/jobs/job-1")
    expect(page.get_by_label("Token")).to_be_focused()
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Nobody has that token.")
    page.get_by_label("Token").fill(pathlib.Path(token_file).read_text().strip())
    page.get_by_role("button", name="Log in").click()

    # The fleet, by keyboard: the first stop is the way to the content.
    expect(page.get_by_role("heading", name="Fleet")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Live.")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    expect(page.locator("[data-health]")).to_have_text("healthy")
    shot("fleet")

    # What changes shows by itself.
    hearth("drain", "n1", "--reason", "new <memory>")
    expect(page.locator("[data-health]")).to_have_text("drained")
    hearth("resume", "n1")
    expect(page.locator("[data-health]")).to_have_text("healthy")

    # A job, its numbers and its log as it grows.
    page.get_by_role("link", name="job-1").click()
    expect(page.get_by_role("heading", name="job-1: <b>x</b>")).to_be_visible()
    expect(page.get_by_role("log")).to_contain_text("gemm.f32, 10 times")
    expect(page.get_by_text("n1 is the first of one's own to end it.")).to_be_visible()
    expect(page.locator("tr.chosen")).to_contain_text("cpu")
    expect(page.get_by_role("table", name="Candidates").get_by_role("columnheader")).to_have_count(8)
    shot("job")
    spec.write_text("kind: bench\nname: long\ndevice: cpu\ncases: [gemm 96x96x96 x400000]\n")
    running = hearth("submit", str(spec)).strip()
    page.goto(f"{url}/jobs/{running}")
    expect(page.locator("[data-state]")).to_have_text("running", timeout=20000)
    expect(page.locator("[data-state]")).to_have_text("succeeded", timeout=60000)
    expect(page.get_by_role("log")).to_contain_text("400000 times")

    # A node: its ceilings over time, its kernels under the roof.
    page.goto(url + "/nodes/n1")
    expect(page.get_by_role("img", name="Roofline of cpu")).to_be_visible()
    assert page.locator("svg circle title", has_text="gemm.f32").count() >= 1
    shot("node", "dark")

    page.get_by_role("link", name="Data").click()
    expect(page.get_by_text("This coordinator has no labels")).to_be_visible()
    page.goto(url + "/data/letters")
    expect(page.get_by_text("There is no label of that name.")).to_be_visible()

    # The ledger, by the browser's own arithmetic.
    page.get_by_role("link", name="Ledger").click()
    page.get_by_role("button", name="Check it in this browser").click()
    verdict = page.locator("#verdict")
    expect(verdict).to_contain_text("6 leaves", timeout=15000)
    said = verdict.inner_text()
    assert "are as signed" in said or "cannot check Ed25519" in said, said
    shot("ledger")

    # One leaf that is not what was signed: a coordinator that looked the other way would be found out here.
    tampered = folder / "coordinator/coordinator.sqlite"
    with sqlite3.connect(tampered) as database:
        database.execute("DROP TRIGGER ledger_stays")
        database.execute("UPDATE ledger SET leaf = CAST(REPLACE(CAST(leaf AS TEXT), 'n1', 'n2') AS BLOB) WHERE number = 1")
    database.close()
    page.reload()
    page.get_by_role("button", name="Check it in this browser").click()
    expect(verdict).to_contain_text("NOT those under the checkpoint", timeout=15000)
    assert "bad" in verdict.get_attribute("class")

    page.get_by_role("link", name="Log out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    page.goto(url + "/")
    expect(page.get_by_label("Token")).to_be_visible()
    assert not problems, problems
    browser.close()

stop("agent")
daemons["coordinator"].terminate()
daemons["coordinator"].wait(30)
print(f"pages: login, fleet, job, node, data, ledger; the browser said: {said}")
