#!/usr/bin/env python3
"""What agent and coordinator take: an idle node's agent for a minute, and a coordinator that gets 1,000 reports a second.

    run.py [--seconds 60] [--rate 1000] [--nodes 50] [--batch 10]

The agent's share is processor time of its process over wall time, without its probes, which are over by then. The load comes from logical nodes,
over at most 100 connections that stay, each stored durably before it is acknowledged.
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HEARTH = pathlib.Path(__file__).resolve().parents[2] / ".build/release/hearth"
LIMITS = {"agent core": 0.005, "agent MiB": 60, "agent start s": 1, "coordinator core": 1, "coordinator MiB": 300}


def processor_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mebibytes(pid: int) -> float:
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def start(state: str, name: str, *arguments: str) -> subprocess.Popen:
    log = open(f"{state}/{name}.log", "w")
    listen = ["--state", f"{state}/{name}", "--listen", "127.0.0.1:0"]
    daemon = subprocess.Popen([HEARTH, name, *listen, *arguments], stdout=log, stderr=log)
    while not pathlib.Path(state, name, "address").exists():
        if daemon.poll() is not None:
            sys.exit(pathlib.Path(state, f"{name}.log").read_text())
        time.sleep(0.01)
    return daemon


class LogicalNodes(threading.Thread):
    """Nodes over one connection: in turn each sends some reports, at a steady rate, and every acknowledgement is timed."""

    def __init__(self, address: str, token: str, names: list[str], batch: int):
        super().__init__(daemon=True)
        self.client = http.client.HTTPConnection(address, timeout=30)
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.names, self.batch = names, batch
        self.times: list[float] = []
        self.sent = dict.fromkeys(names, 0)
        for name in names:
            self.post("/v1/nodes", {"node": name, "bootID": "b", "version": "1", "devices": []})

    def go(self, interval: float, end: float) -> None:
        self.interval, self.end = interval, end
        self.start()

    def post(self, path: str, body: dict) -> dict:
        self.client.request("POST", path, json.dumps(body), self.headers)
        answer = self.client.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {text[:200]}")
        return json.loads(text)

    def run(self) -> None:
        due = time.monotonic() + random.random() * self.interval
        while True:
            for name in self.names:
                if due >= self.end:
                    return
                time.sleep(max(0, due - time.monotonic()))
                first = self.sent[name] + 1
                reports = [
                    {"seq": first + n, "at": time.time(), "body": {"health": {"state": "healthy"}}} for n in range(self.batch)
                ]
                begin = time.monotonic()
                answer = self.post(f"/v1/nodes/{name}/reports", {"bootID": "b", "reports": reports})
                self.times.append(time.monotonic() - begin)
                self.sent[name] += self.batch
                assert answer["watermark"] == self.sent[name], answer
                due += self.interval


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=int, default=1000, help="reports a second")
    parser.add_argument("--nodes", type=int, default=50, help="logical nodes")
    parser.add_argument("--batch", type=int, default=10, help="reports a request")
    options = parser.parse_args()
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="hearth-overhead-") as state:
        daemons = [coordinator := start(state, "coordinator")]
        try:
            url = pathlib.Path(state, "coordinator/address").read_text()
            token_file = f"{state}/coordinator/token"
            token = pathlib.Path(token_file).read_text().strip()
            os.environ |= {"HEARTH_COORDINATOR": url, "HEARTH_TOKEN_FILE": token_file}
            begin = time.monotonic()
            daemons.append(agent := start(state, "agent", "--devices", "cpu", "--coordinator", url, "--token-file", token_file))
            metrics = pathlib.Path(state, "agent/address").read_text().split("//")[1]
            while True:
                client = http.client.HTTPConnection(metrics, timeout=5)
                client.request("GET", "/metrics")
                if b"hearth_agent_registered 1" in client.getresponse().read():
                    break
                time.sleep(0.01)
            found["agent start s"] = time.monotonic() - begin
            subprocess.run([HEARTH, "nodes", "--wait"], check=True, capture_output=True)
            time.sleep(5)
            print(f"an idle agent for {options.seconds:.0f} s", flush=True)
            before, begin = processor_seconds(agent.pid), time.monotonic()
            time.sleep(options.seconds)
            found["agent core"] = (processor_seconds(agent.pid) - before) / (time.monotonic() - begin)
            found["agent MiB"] = resident_mebibytes(agent.pid)
            agent.terminate()
            agent.wait()

            print(f"{options.rate} reports a second from {options.nodes} nodes for {options.seconds:.0f} s", flush=True)
            connections = min(100, options.nodes)
            names = [f"node-{n}" for n in range(options.nodes)]
            groups = [LogicalNodes(url.split("//")[1], token, names[n::connections], options.batch) for n in range(connections)]
            interval = connections * options.batch / options.rate
            before, begin = processor_seconds(coordinator.pid), time.monotonic()
            for group in groups:
                group.go(interval, begin + options.seconds)
            for group in groups:
                group.join()
            wall = time.monotonic() - begin
            found["coordinator core"] = (processor_seconds(coordinator.pid) - before) / wall
            found["coordinator MiB"] = resident_mebibytes(coordinator.pid)
            times = sorted(t for group in groups for t in group.times)
            reached = sum(sum(group.sent.values()) for group in groups) / wall
        finally:
            for daemon in reversed(daemons):
                daemon.terminate()
                daemon.wait()
    print("| | found | at most |\n|---|---|---|")
    for name, limit in LIMITS.items():
        print(f"| {name} | {found[name]:.3g} | {limit} |")
    print(
        f"{reached:.0f} reports/s reached; acknowledged after {1e3 * statistics.median(times):.1f} ms (median), "
        f"{1e3 * times[int(0.99 * len(times))]:.1f} ms (99th percentile)")
    over = [name for name, limit in LIMITS.items() if found[name] > limit]
    if over or reached < 0.97 * options.rate:
        sys.exit(f"overhead: over its limit: {', '.join(over) or 'the rate was not reached'}")


main()
