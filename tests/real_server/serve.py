"""Runs llama.cpp's HTTP server on a model, until it is killed.

    python serve.py --model target/real-server/tiny.gguf --port 0

Once the server is ready, one line on standard output says where: `listening on http://127.0.0.1:PORT`.
Everything else goes to standard error. It ends with SIGTERM or SIGINT.
"""

import argparse
import os
import pathlib
import signal
import socket
import sys
import time
import urllib.error
import urllib.request

import xllamacpp

HOST = "127.0.0.1"
READY_WITHIN_S = 60


def free_port():
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def is_ready(url):
    """Whether the server has loaded its model: it answers 503 before."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=1) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


def main():
    parser = argparse.ArgumentParser(description="Run llama.cpp's HTTP server on a model.")
    parser.add_argument("--model", type=pathlib.Path, required=True, help="the GGUF file")
    parser.add_argument("--port", type=int, default=0, help="0 for any that is free")
    parser.add_argument("--parallel", type=int, default=4, help="requests that are served at a time")
    parser.add_argument("--context", type=int, default=4096, help="tokens of context for each of them")
    arguments = parser.parse_args()
    if not arguments.model.is_file():
        sys.exit(f'there is no model "{arguments.model}": write it with make_model.py')

    # Standard output is for the one line that others wait for, whatever the library prints.
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    port = arguments.port or free_port()
    params = xllamacpp.CommonParams()
    params.model.path = str(arguments.model)
    params.model_alias = ["tiny"]
    params.n_parallel = arguments.parallel
    params.n_ctx = arguments.parallel * arguments.context
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.hostnames = [HOST]
    params.port = port
    params.endpoint_metrics = True
    params.warmup = False
    # The server's threads must not take the signals that are meant for this one.
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        sys.exit(f"the server did not start ({error}): is port {port} taken?")

    url = f"http://{HOST}:{port}"
    deadline = time.monotonic() + READY_WITHIN_S
    while not is_ready(url):
        if time.monotonic() > deadline:
            sys.exit(f"the server was not ready within {READY_WITHIN_S} s: see what it wrote above")
        if signal.sigtimedwait(signals, 0.05):
            os._exit(0)
    print(f"listening on {url}", file=told, flush=True)
    signal.sigwait(signals)
    del server
    os._exit(0)


if __name__ == "__main__":
    main()
