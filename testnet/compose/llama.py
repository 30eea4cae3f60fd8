"""A real llama.cpp server with a real small model, inside its container (testnet/image)."""

import threading

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = "/opt/model.gguf"
params.model_alias = {"smollm2"}
params.hostnames = ["0.0.0.0"]
params.port = 8000
params.n_parallel = 4
params.n_ctx = 8192
params.cpuparams.n_threads = 1        # a second one costs more than it brings
params.cpuparams_batch.n_threads = 1
params.warmup = False
params.endpoint_metrics = True
server = xllamacpp.Server(params)
print("serving", flush=True)
threading.Event().wait()
