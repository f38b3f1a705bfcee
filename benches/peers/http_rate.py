"""oha and tickrate against the same server, with tiny replies that are not streamed."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import install
import measured
from machine import Cores
from outcome import HttpOutcome
from server import Server
from workload import MODEL

CONNECTIONS = 64
BODY = json.dumps(
    {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1, "stream": False}
)


def compare(program: Path, requests: int, cores: Cores, folder: Path, timeout_s: float) -> list[HttpOutcome]:
    """Runs both, each on a server of its own."""
    return [
        one("oha", program, requests, cores, folder, timeout_s),
        one("tickrate", program, requests, cores, folder, timeout_s),
    ]


def one(tool: str, program: Path, requests: int, cores: Cores, folder: Path, timeout_s: float) -> HttpOutcome:
    """One run. Raises `ValueError` when the tool failed."""
    folder = folder / f"http-{tool}"
    folder.mkdir(parents=True)
    with Server(program, ["--max-speed", "--output-tokens", "1"], cores, folder, timed=False) as server:
        url = f"{server.url}/v1/chat/completions"
        command = oha(url, requests, folder) if tool == "oha" else tickrate(program, url, requests, folder)
        used = measured.run(command, (cores.server, cores.client), folder, {}, timeout_s)
    if used.status != 0:
        raise ValueError(f"{tool} ended with status {used.status}; its output is in {folder}/client.log")
    rate, succeeded = (oha_report if tool == "oha" else tickrate_report)(folder)
    return HttpOutcome(
        tool=tool,
        command=shlex.join(command),
        requests_per_s=rate,
        succeeded=succeeded,
        cpu_us=used.cpu_s / requests * 1e6,
        rss_mib=used.rss_mib,
    )


def oha(url: str, requests: int, folder: Path) -> list[str]:
    """Without its display: its README says that it is fastest so."""
    command = f"{install.program('oha')} --no-tui -n {requests} -c {CONNECTIONS} -m POST -T application/json"
    command += f" --output-format json --output {folder / 'report.json'}"
    return [*command.split(), "-d", BODY, url]


def tickrate(program: Path, url: str, requests: int, folder: Path) -> list[str]:
    """The same body."""
    command = f"{program} perf --model {MODEL} --url {url} --parallel {CONNECTIONS} --number {requests}"
    command += " --no-stream --max-tokens 1 --prompt hi --log-every-n-query 0 --no-test-connection"
    return [*command.split(), "--no-timestamp", "--name", "run", "--outputs-dir", str(folder)]


def oha_report(folder: Path) -> tuple[float, int]:
    """Requests a second, and those that were answered with 200."""
    report = json.loads((folder / "report.json").read_text())
    return report["summary"]["requestsPerSec"], report["statusCodeDistribution"].get("200", 0)


def tickrate_report(folder: Path) -> tuple[float, int]:
    """Requests a second, and those that succeeded."""
    (stage,) = (folder / "run").glob("*/summary.json")
    summary = json.loads(stage.read_text())
    return summary["Req Throughput (req/s)"], summary["Success Requests"]
