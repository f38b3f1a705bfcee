"""The server under load: `tickrate sim` in a process of its own, alone on a core."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import machine
from machine import Cores
from truth import Truth


class ServerError(Exception):
    """The simulator did not start, or did not end."""


class Server:
    """A simulator that runs, for a `with` block."""

    def __init__(
        self, program: Path, flags: Sequence[str], cores: Cores, folder: Path, *, timed: bool = True
    ) -> None:
        """Starts `tickrate sim` with `flags`; its files go to `folder`.

        A `timed` one keeps the ground truth and goes before everything else on its core. One that is to be
        as fast as it can does neither: the kernel would take it off its core for a while every second.
        """
        self._truth = folder / "truth.jsonl"
        command = [str(program), "sim", "--port", "0", *flags]
        if timed:
            command += ["--truth", str(self._truth)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores.server),
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline().split()
        if not line or not line[-1].startswith("http://"):
            self._process.kill()
            raise ServerError(f"{program} sim did not say where it listens; try it by hand")
        self.url = line[-1]
        """Without a path: `http://127.0.0.1:8801`."""
        apart = cores.server.isdisjoint(cores.client)
        self.realtime = timed and apart and machine.go_first(self._process.pid)
        """Whether it has real-time priority."""

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> Truth:
        """Ends a timed one and reads what it did. Raises `ServerError` when it answered nothing."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired as error:
            raise ServerError("the simulator did not end within 20 s of SIGTERM") from error
        truth = Truth.read(self._truth)
        if not truth.served:
            raise ServerError("the simulator saw no request")
        return truth
