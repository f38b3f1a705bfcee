"""Compares tickrate with its peers: `python3 benches/peers/run.py [--quick] [--write]`.

It needs Linux, Python 3.11 or later, `taskset`, and a build of tickrate. It installs the peers from PyPI
into `target/peers`, some 8 GB, and oha from crates.io, and downloads nothing else. All traffic stays on
the loopback interface.
"""

from __future__ import annotations

import argparse
import datetime
import shutil
import subprocess
import sys
from pathlib import Path

import http_rate
import install
import machine
import measured
import outcome
import page
import side_by_side
from machine import Cores
from outcome import Comparison, HttpOutcome, Outcome
from server import Server, ServerError
from tools import Tool
from tools.aiperf import AIPerf
from tools.evalscope import EvalScope
from tools.guidellm import GuideLLM
from tools.tickrate import Tickrate
from workload import Load, write_tokenizer

PAGE = install.ROOT / "docs" / "comparison.md"
RESULTS = install.HOME / "comparison.json"
SIDE_BY_SIDE = install.HOME / "side_by_side.md"
SCRATCH = install.HOME / "runs"
TIMEOUT_S = 300.0

FULL = [
    Load(streams=1, requests=12),
    Load(streams=64, requests=640),
    Load(streams=256, requests=1536),
    Load(streams=1000, requests=3000),
    Load(streams=64, requests=384, frame_ms=20.0, frame_tokens=4),
]
QUICK = [
    Load(streams=1, requests=3, tokens=32),
    Load(streams=16, requests=32, tokens=32),
    Load(streams=16, requests=32, tokens=32, frame_ms=20.0, frame_tokens=4),
]
HTTP_REQUESTS = {False: 200_000, True: 5_000}


def main() -> int:
    """Runs all of it and prints or writes the page."""
    arguments = parse()
    install.HOME.mkdir(parents=True, exist_ok=True)
    if arguments.render:
        comparison = Comparison.load(RESULTS)
    else:
        install.peers()
        comparison = measure(arguments)
        comparison.save(RESULTS)
        if "side" not in arguments.without:
            text = side_by_side.compare(arguments.program, quick=arguments.quick, echo=True)
            SIDE_BY_SIDE.write_text(text, encoding="utf-8")
    beside = SIDE_BY_SIDE.read_text(encoding="utf-8") if SIDE_BY_SIDE.exists() else ""
    text = page.render(comparison, beside)
    if arguments.write:
        page.write(PAGE, text)
    else:
        print(text)
    return 1 if comparison.failures else 0


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small loads: tries everything, measures nothing")
    parser.add_argument(
        "--write", action="store_true", help=f"write the tables of {PAGE.name}, not to the terminal"
    )
    parser.add_argument("--render", action="store_true", help="the tables of the last run, without another one")
    parser.add_argument(
        "--without",
        nargs="*",
        default=[],
        choices=["evalscope", "guidellm", "aiperf", "oha", "side"],
        metavar="NAME",
    )
    parser.add_argument("--streams", nargs="*", type=int, help="only the loads with so many streams")
    parser.add_argument(
        "--program",
        type=Path,
        default=install.TICKRATE,
        help="the build of tickrate to compare",
    )
    parser.add_argument("--guidellm-workers", type=int, default=len(Cores.divide().client), metavar="N")
    arguments = parser.parse_args()
    if not arguments.program.exists():
        parser.error(f"{arguments.program} is not there: run cargo build --release, or give --program FILE")
    arguments.program = arguments.program.resolve()
    return arguments


def tools(arguments: argparse.Namespace) -> list[Tool]:
    """The clients, tickrate first."""
    tokenizer = write_tokenizer(install.ROOT / "tests" / "data" / "tokenizer", install.HOME / "tokenizer")
    chosen: list[Tool] = [Tickrate(arguments.program)]
    if "evalscope" not in arguments.without:
        chosen.append(EvalScope())
    if "guidellm" not in arguments.without:
        chosen.append(GuideLLM(tokenizer, arguments.guidellm_workers))
    if "aiperf" not in arguments.without:
        chosen.append(AIPerf(tokenizer))
    return chosen


def measure(arguments: argparse.Namespace) -> Comparison:
    """All runs of all clients. One that fails is told of and left out."""
    clients, cores = tools(arguments), Cores.divide()
    loads = QUICK if arguments.quick else FULL
    if arguments.streams:
        loads = [load for load in loads if load.streams in arguments.streams]
    versions = {tool.name: tool.version for tool in clients}
    followed = {tool.name: tool.followed for tool in clients}
    shutil.rmtree(SCRATCH, ignore_errors=True)
    before = machine.load_average()
    outcomes: list[Outcome] = []
    failures: list[str] = []
    for number, load in enumerate(loads):
        for tool in clients:
            try:
                outcomes.append(one(tool, load, arguments.program, cores, SCRATCH / f"{number}-{tool.name}"))
                print(line(outcomes[-1]), file=sys.stderr)
            except (ServerError, OSError, KeyError, ValueError, subprocess.TimeoutExpired) as error:
                failures.append(f"{tool.name} at {load.name} streams: {error!r}"[:300])
                print(failures[-1], file=sys.stderr)
    http: list[HttpOutcome] = []
    if "oha" not in arguments.without:
        install.oha()
        versions["oha"] = install.OHA
        followed["oha"] = "no display (`--no-tui`), which its README calls its fast path"
        http = http_rate.compare(arguments.program, HTTP_REQUESTS[arguments.quick], cores, SCRATCH, TIMEOUT_S)
    return Comparison(
        machine=machine.describe(),
        date=datetime.date.today().isoformat(),
        load_average=(before, machine.load_average()),
        versions=versions,
        followed=followed,
        outcomes=outcomes,
        http=http,
        failures=failures,
    )


def line(cell: Outcome) -> str:
    """A word on a run that is over."""
    ttft = f"TTFT {cell.report.ttft.p50:8.2f} ms (true {cell.true_ttft.p50:8.2f})"
    times = f"{cell.startup_s:.1f} s to begin, {cell.end_s:.1f} s to end"
    return f"{cell.load.name:>24} {cell.tool:10} {ttft}, delivered {cell.delivered * 100:5.1f} %, {times}"


def one(tool: Tool, load: Load, program: Path, cores: Cores, folder: Path) -> Outcome:
    """One client with one load."""
    folder.mkdir(parents=True)
    with Server(program, load.server_flags(), cores, folder) as server:
        command = tool.command(load, server.url, folder)
        environment = tool.environment(load)
        usage = measured.run(command, (cores.server, cores.client), folder, environment, TIMEOUT_S)
        if usage.status != 0:
            raise ValueError(f"it ended with status {usage.status}; {folder}/client.log says why")
        report = tool.report(folder)
        shown = [f"{name}={value}" for name, value in environment.items()] + command
        return outcome.of(tool.name, load, shown, report, server.stop(), usage, realtime=server.realtime)


if __name__ == "__main__":
    sys.exit(main())
