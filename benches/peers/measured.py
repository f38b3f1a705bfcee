"""Runs a client and says what it used: CPU time, memory, and when it was started and ended.

As a program it is the parent of the client and of nothing else, so that what the kernel counts for its
children is the client's: `measured.py OUT CORES PROGRAM ARGUMENTS…`. Processes that lose their parent
become its children, and it waits for all of them. It samples the processes from the server's core.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
SAMPLE_INTERVAL_S = 0.2
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclass(frozen=True)
class Usage:
    """What a client and all of its processes used."""

    launched_ns: int
    """When it was started, on CLOCK_MONOTONIC."""
    ended_ns: int
    """When its last process was gone."""
    cpu_s: float
    """User and system time."""
    rss_mib: float
    """The most memory that all of its processes together were seen to have resident."""
    samples: tuple[tuple[int, float], ...]
    """At some moments, the CPU time in seconds that had been used until then."""
    status: int
    """Its exit status."""

    def cpu_at(self, moment_ns: int) -> float:
        """The CPU time used until a moment, interpolated between samples."""
        points = [(self.launched_ns, 0.0), *self.samples, (self.ended_ns, self.cpu_s)]
        for (start_ns, start_s), (end_ns, end_s) in itertools.pairwise(points):
            if moment_ns <= end_ns:
                share = (moment_ns - start_ns) / max(end_ns - start_ns, 1)
                return start_s + (end_s - start_s) * max(share, 0.0)
        return self.cpu_s


def run(
    command: Sequence[str],
    cores: tuple[frozenset[int], frozenset[int]],
    folder: Path,
    environment: Mapping[str, str],
    timeout_s: float,
) -> Usage:
    """Runs `command` in `folder`, on the second set of `cores`, sampled from the first.

    What it prints goes to `client.log` there. Raises `subprocess.TimeoutExpired` when it takes longer.
    """
    sampler, client = (",".join(map(str, sorted(part))) for part in cores)
    out = folder / "usage.json"
    wrapped = ["taskset", "-c", sampler, sys.executable, __file__, str(out), client, *command]
    with (folder / "client.log").open("w") as log:
        process = subprocess.Popen(
            wrapped,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            # It ends its client, and with it all other processes that are left.
            process.terminate()
            process.wait()
            raise
    fields = json.loads(out.read_text())
    fields["samples"] = tuple((at, cpu) for at, cpu in fields["samples"])
    return Usage(**fields)


def main() -> int:
    """Runs the client, samples it, waits for all that it leaves behind, and writes the usage."""
    out, cores, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    client = {int(core) for core in cores.split(",")}
    launched_ns = time.monotonic_ns()
    process = subprocess.Popen(command, preexec_fn=lambda: os.sched_setaffinity(0, client))
    rss_mib, samples = 0.0, []
    try:
        while process.poll() is None:
            at_ns = time.monotonic_ns()
            cpu_s, now_mib = sample(os.getpid())
            rss_mib = max(rss_mib, now_mib)
            samples.append((at_ns, cpu_s))
            time.sleep(SAMPLE_INTERVAL_S)
        wait_for_others()
    finally:
        end_all(os.getpid())
    ended_ns = time.monotonic_ns()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    usage = Usage(
        launched_ns=launched_ns,
        ended_ns=ended_ns,
        cpu_s=used.ru_utime + used.ru_stime,
        rss_mib=max(rss_mib, used.ru_maxrss / 1024),
        samples=tuple(samples),
        status=process.returncode,
    )
    Path(out).write_text(json.dumps(usage.__dict__))
    return 0


def descendants(parent: int) -> list[list[str]]:
    """The fields of `stat`, from the state on, of all processes below `parent`, with the number first."""
    children: dict[int, list[list[str]]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                text = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            fields = [entry, *text.rpartition(")")[2].split()]
            children.setdefault(int(fields[2]), []).append(fields)
    found, waiting = [], [parent]
    while waiting:
        for fields in children.get(waiting.pop(), []):
            found.append(fields)
            waiting.append(int(fields[0]))
    return found


def sample(parent: int) -> tuple[float, float]:
    """The CPU time in seconds, and the resident memory in MiB, of all processes below this one."""
    gone = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks, pages = 0, 0
    for fields in descendants(parent):
        # Their own time and that of the children that they have waited for.
        ticks += sum(int(field) for field in fields[12:16])
        pages += int(fields[22])
    return gone.ru_utime + gone.ru_stime + ticks * TICK_S, pages * PAGE_MIB


def wait_for_others(patience_s: float = 10.0) -> None:
    """Waits for the processes that the client left behind."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.01)
        except ChildProcessError:
            return


def end_all(parent: int) -> None:
    """Ends all processes below `parent` and waits for them."""
    for fields in descendants(parent):
        try:
            os.kill(int(fields[0]), 9)
        except ProcessLookupError:
            continue
    wait_for_others()


if __name__ == "__main__":
    sys.exit(main())
