"""A `hearth serve` of one test: started on a free port, stopped at the end, with its log at hand."""
import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.request


def post(url, body):
    """The answer to a JSON body."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=60))


class Server:
    def __init__(self, program, model, *arguments):
        self.folder = tempfile.mkdtemp()
        self.log = open(self.folder + "/log", "w+")
        self.process = subprocess.Popen(
            [program, "serve", "--model", model, "--device", "cpu", "--listen", "127.0.0.1:0", "--state", self.folder,
             *arguments], stdout=self.log, stderr=self.log)
        end = time.time() + 60
        while not os.path.exists(self.folder + "/address"):
            if self.process.poll() is not None or time.time() > end:
                raise SystemExit("the server did not start: " + open(self.folder + "/log").read())
            time.sleep(0.05)
        self.url = open(self.folder + "/address").read().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(30) == 0, "the server ended with %s" % self.process.returncode
        finally:
            self.process.kill()

    @property
    def is_running(self):
        return self.process.poll() is None

    @property
    def resident_bytes(self):
        for line in open("/proc/%d/status" % self.process.pid):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def metrics(self):
        """Samples of /metrics by name and labels."""
        text = urllib.request.urlopen(self.url + "/metrics", timeout=10).read().decode()
        return {k: float(v) for k, v in (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))}
