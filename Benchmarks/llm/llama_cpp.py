"""llama.cpp's server on one model, for peers.py: says what it has before it loads, then its address, and stays."""
import json
import sys
import time

import xllamacpp

model, threads = sys.argv[1], int(sys.argv[2])
resident = [int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmRSS:")][0]
print(json.dumps({"resident": resident}), flush=True)
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.n_parallel, params.warmup = model, 8 * 2048, 8, False
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
server = xllamacpp.Server(params)
print(json.dumps({"url": server.listening_address}), flush=True)
while True:
    time.sleep(60)
