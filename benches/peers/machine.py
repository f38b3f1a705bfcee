"""The machine: its cores, divided between the server and the clients, and what it is."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

SERVER_PRIORITY = 50
"""The priority of the server's threads among real-time ones."""


@dataclass(frozen=True)
class Cores:
    """The last core is the server's, and the others are the client's."""

    server: frozenset[int]
    client: frozenset[int]

    @staticmethod
    def divide() -> Cores:
        """Divides those that this process may use. A single one is shared."""
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) == 1:
            return Cores(frozenset(cores), frozenset(cores))
        return Cores(frozenset(cores[-1:]), frozenset(cores[:-1]))


def go_first(process: int) -> bool:
    """Gives the serving threads of a simulator real-time priority; returns whether that was allowed.

    The thread that writes the ground truth waits for them, so it is left as it is.
    """
    done = False
    for task in Path(f"/proc/{process}/task").iterdir():
        name = (task / "comm").read_text().strip()
        if name.startswith("sim-") and name.removeprefix("sim-").isdigit():
            try:
                os.sched_setscheduler(int(task.name), os.SCHED_FIFO, os.sched_param(SERVER_PRIORITY))
            except PermissionError:
                return False
            done = True
    return done


def describe() -> str:
    """What the figures were measured on, without its name."""
    model = "an unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    release = platform.release().split("-")[0]
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores ({model}), {memory_gib:.0f} GiB, Linux {release}, Python {platform.python_version()}"


def load_average() -> float:
    """Processes that ran or wanted to, on average over the last minute."""
    return os.getloadavg()[0]
