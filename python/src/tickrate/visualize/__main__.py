"""The process beside a run: reads events, and hands them to the visualizer."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import threading
import traceback
from typing import Any, NoReturn

from .board import Board, Unusable
from .files import figures, percentiles

KINDS = {"wandb": "WandbBoard", "swanlab": "SwanlabBoard", "clearml": "ClearmlBoard", "mlflow": "MlflowBoard"}


def log_to(path: str, secrets: list[str]) -> threading.Thread:
    """Sends what the SDK prints into a file, without the secrets. Returns the thread that writes it."""
    reader, writer = os.pipe()
    os.dup2(writer, 1)
    os.dup2(writer, 2)
    os.close(writer)

    def copy() -> None:
        with open(reader, encoding="utf-8", errors="replace") as lines, open(path, "w", encoding="utf-8") as log:
            for line in lines:
                for secret in secrets:
                    line = line.replace(secret, "[redacted]")
                log.write(line)
                log.flush()

    copier = threading.Thread(target=copy, daemon=True)
    copier.start()
    return copier


def open_board(kind: str) -> Board:
    """The board, if its SDK is installed and it can work. Raises Unusable if not."""
    try:
        module = importlib.import_module(f"tickrate.visualize.{kind}_board")
        board: Board = getattr(module, KINDS[kind])()
    except ImportError as error:
        raise Unusable(
            f"the Python package {error.name} is not installed for \"{sys.executable}\"; "
            f"install it with: pip install 'tickrate[{kind}]'"
        ) from None
    board.check()
    return board


def end(code: int, copiers: list[threading.Thread]) -> NoReturn:
    """Ends this process once what it has printed is in the log. What an SDK has left running, in a thread or at
    the exit, is not waited for: by now it was told to finish."""
    sys.stdout.flush()
    sys.stderr.flush()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    for copier in copiers:
        copier.join(timeout=2)
    os._exit(code)


def play(board: Board, secrets: list[str], copiers: list[threading.Thread]) -> None:
    """Hands the events on, until the run is finished."""
    step = 0
    for line in sys.stdin:
        event: dict[str, Any] = json.loads(line)
        if event["type"] == "run":
            copiers.append(log_to(os.path.join(event["folder"], "visualizer.log"), secrets))
            board.begin(event["name"], event["folder"], event["header"])
        elif event["type"] == "progress":
            step += 1
            metrics = {name: value for name, value in event["metrics"].items() if value is not None}
            board.progress(event["stage"], step, {**metrics, "elapsed_s": event["elapsed_s"]})
        elif event["type"] == "stage":
            step += 1
            board.stage(event["stage"], step, figures(event["folder"]), percentiles(event["folder"]))
        elif event["type"] == "finish":
            board.finish(event["folder"])
            return


def main() -> int:
    # A Ctrl-C lets the run finish, and this with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    secrets = json.loads(os.environ.pop("TICKRATE_VISUALIZER_SECRETS", "[]"))
    # The SDKs print as they please: only the answer goes to the one who asked.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        board = open_board(sys.argv[1])
    except Unusable as problem:
        print(problem, file=answer, flush=True)
        return 1
    except Exception as error:  # an SDK may fail in any way
        said = " ".join(f"{type(error).__name__}: {error}".split())
        for secret in secrets:
            said = said.replace(secret, "[redacted]")
        print(f"{sys.argv[1]} cannot be used: {said[:300]}", file=answer, flush=True)
        return 1
    print("ready", file=answer, flush=True)
    copiers: list[threading.Thread] = []
    try:
        play(board, secrets, copiers)
    except Exception:
        traceback.print_exc()
        with contextlib.suppress(Exception):
            board.give_up()
        end(1, copiers)
    end(0, copiers)


if __name__ == "__main__":
    sys.exit(main())
