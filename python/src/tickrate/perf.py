"""Runs the benchmark: starts the binary, shows what it says, and reads what it has written."""

from __future__ import annotations

import argparse
import os
import pathlib
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import IO, Any

from .arguments import Arguments
from .binary import find_binary
from .errors import TickrateError
from .results import Run, load_run

# With these there are no results to return.
_FAILED, _USAGE, _UNREACHABLE, _INTERRUPTED = 1, 2, 3, 130
_RESULTS = "results: "


def run_perf_benchmark(
    args: Arguments | Mapping[str, Any] | argparse.Namespace, *, quiet: bool = False
) -> Run:
    """Measures a server and returns the results.

    `args` are those of `tickrate perf`: an `Arguments`, or a dictionary or namespace of the same names. What
    the command prints is printed, unless `quiet`. The result maps the name of each stage, such as
    `parallel_10_number_100`, to its figures, and reads the records when they are asked for.

    A run in which requests failed, or that missed a limit of its own, is a result like any other: its
    `exit_code` says so. Raises TickrateError if there is nothing to return: bad arguments, no server, an
    output that could not be written; ValueError if an argument is of the wrong type. An interrupt lets
    requests in flight finish and is raised again.
    """
    if isinstance(args, argparse.Namespace):
        args = Arguments.from_args(args)
    elif not isinstance(args, Arguments):
        args = Arguments.from_dict(args)
    args.validate()
    if args.dry_run:
        raise ValueError("dry_run: there are no results of a plan; use `tickrate perf --dry-run`")

    environment = {**os.environ, **args.to_environment()}
    # A Ctrl-C goes to this process alone, which passes it on once.
    process = subprocess.Popen(
        [find_binary(), "perf"], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace", start_new_session=True,
    )
    said: list[str] = []
    complaints: list[str] = []
    listeners = [
        _listen(process.stdout, said, None if quiet else sys.stdout),
        _listen(process.stderr, complaints, None if quiet else sys.stderr),
    ]
    interrupted = _wait(process)
    for listener in listeners:
        listener.join()
    code = process.returncode
    if interrupted:
        raise KeyboardInterrupt
    if code in (_FAILED, _USAGE, _UNREACHABLE, _INTERRUPTED) or code < 0:
        errors = [line.removeprefix("error: ") for line in complaints if line.startswith("error: ")]
        raise TickrateError("\n".join(errors) or f"tickrate perf ended with exit code {code}", code)
    folder = next((line.removeprefix(_RESULTS) for line in said if line.startswith(_RESULTS)), None)
    if folder is None:
        raise TickrateError("tickrate perf did not say where its results are", code)
    return load_run(pathlib.Path(folder), exit_code=code)


def _wait(process: subprocess.Popen[str]) -> bool:
    """Waits for the end; returns whether the user interrupted it. A second interrupt ends it at once."""
    interrupted = False
    while True:
        try:
            process.wait()
            return interrupted
        except KeyboardInterrupt:
            interrupted = True
            process.send_signal(signal.SIGINT)


def _listen(stream: IO[str] | None, into: list[str], show: Any) -> threading.Thread:
    def listen() -> None:
        if stream is None:
            return
        with stream:
            for line in stream:
                into.append(line.rstrip("\n"))
                if show is not None:
                    print(line, end="", file=show, flush=True)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    return thread
