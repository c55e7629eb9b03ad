#!/usr/bin/env python3
"""A bad network between an agent and its coordinator.

    proxy.py CONTROL [SEED]

Prints the port it listens on. CONTROL is a JSON file that is read for every request:
upstream (a port), cut (true: nothing gets through, answers under way included), chaos (0 to 1: how often a request is lost, an answer is
lost, a request arrives twice, late, or once more long after).
"""
import http.client
import http.server
import json
import random
import sys
import threading
import time


class Network:
    def __init__(self, control, seed):
        self.control, self.random, self.lock = control, random.Random(seed), threading.Lock()
        self.sent = []
        self.count = {}

    def state(self):
        while True:
            try:
                with open(self.control) as file:
                    return json.load(file)
            except (OSError, ValueError):
                time.sleep(0.01)

    def happens(self, what, chaos):
        with self.lock:
            if self.random.random() >= chaos:
                return False
            self.count[what] = self.count.get(what, 0) + 1
            return True

    def old_request(self):
        with self.lock:
            return self.random.choice(self.sent) if self.sent else None

    def delay(self):
        with self.lock:
            return self.random.random() * 1.5

    def remember(self, request):
        with self.lock:
            self.sent.append(request)
            del self.sent[:-200]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    network = None

    def log_message(self, *_):
        pass

    def forward(self, method, path, headers, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.network.state()["upstream"], timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def lose(self):
        self.close_connection = True

    def handle_one(self):
        network = self.network
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection", "content-length")}
        request = (self.command, self.path, headers, body)
        state = network.state()
        chaos = state.get("chaos", 0)
        if state.get("cut") or network.happens("request lost", chaos):
            return self.lose()
        if network.happens("late", chaos):
            time.sleep(network.delay())
        try:
            answer = self.forward(*request)
            if self.command == "POST":
                network.remember(request)
                if network.happens("twice", chaos):
                    answer = self.forward(*request)
                old = network.old_request()
                if old and network.happens("once more", chaos):
                    self.forward(*old)
        except (OSError, http.client.HTTPException):
            return self.lose()
        if network.state().get("cut") or network.happens("answer lost", chaos):
            return self.lose()
        status, answer_headers, content = answer
        self.send_response_only(status)
        for name, value in answer_headers:
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = handle_one


def main():
    Handler.network = Network(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()


main()
