"""The baseline and tickrate with the same flags: `python3 benches/peers/side_by_side.py [--quick]`.

Both run the quick-start command of the README against the same simulator. The script prints what both
print, and says of each figure whether the two agree within the baseline's own error.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bodies
import install
import measured
from machine import Cores
from page import table
from server import Server
from truth import Truth
from workload import MODEL, write_tokenizer

SCRATCH = install.HOME / "side_by_side"
TIMEOUT_S = 600.0
SEED = 42
ROUNDING = 0.011
"""The baseline's figures have two digits after the point, some four."""
RUN_TO_RUN = 0.005
"""Of a figure: two runs are not the same."""
QUICK_START = (
    "--parallel 1 10 50 100 200 --number 10 20 100 200 400 --api openai --dataset random "
    "--max-tokens {tokens} --min-tokens {tokens} --prefix-length 0 "
    "--min-prompt-length 1024 --max-prompt-length 1024"
)
HEAD = ["stage", "figure", "EvalScope", "true", "tickrate", "true", ""]


@dataclass(frozen=True)
class Figure:
    """A figure of both tables. Each run has its own truth."""

    stage: str
    name: str
    baseline: float
    baseline_true: float
    own: float
    own_true: float

    @property
    def agrees(self) -> bool:
        """Whether the two are as near as the baseline's own error, and that the runs differ, allows."""
        error = abs(self.baseline - self.baseline_true)
        runs = abs(self.own_true - self.baseline_true) + RUN_TO_RUN * abs(self.baseline_true)
        return abs(self.own - self.baseline) <= error + runs + ROUNDING

    def row(self) -> list[str]:
        """For the table."""
        values = (self.baseline, self.baseline_true, self.own, self.own_true)
        verdict = "agrees" if self.agrees else "**differs**"
        return [self.stage, self.name, *(f"{value:,.2f}" for value in values), verdict]


def flags(url: str, tokenizer: Path, folder: Path, quick_start: str) -> list[str]:
    """What both are given: the quick-start command, and where the files go."""
    start = f"perf --model {MODEL} --url {url}/v1/chat/completions {quick_start} --tokenizer-path {tokenizer}"
    where = f"--seed {SEED} --sleep-interval 1 --no-test-connection --no-timestamp --name run"
    return [*f"{start} {where} --outputs-dir {folder}".split(), "--extra-args", '{"ignore_eos": true}']


def compare(program: Path, *, quick: bool, echo: bool) -> str:
    """Runs both and returns the tables. With `echo` it prints what they print."""
    install.peers()
    tokenizer = write_tokenizer(install.ROOT / "tests" / "data" / "tokenizer", install.HOME / "tokenizer")
    shutil.rmtree(SCRATCH, ignore_errors=True)
    quick_start = QUICK_START.format(tokens=32 if quick else 256)
    if quick:
        quick_start = quick_start.replace("1 10 50 100 200", "1 4").replace("10 20 100 200 400", "2 8")
    programs = {"evalscope": install.program("evalscope"), "tickrate": program}
    stages, sent = {}, {}
    for name, client in programs.items():
        folder = SCRATCH / name
        folder.mkdir(parents=True)
        stages[name] = run(client, program, tokenizer, folder, quick_start)
        if echo:
            summary = folder / "run" / "performance_summary.txt"
            print(f"\n== {name}\n{summary.read_text() if summary.exists() else '(no performance_summary.txt)'}")
        sent[name] = record(client, tokenizer, folder)
    figures = [
        figure for pair in zip(stages["evalscope"], stages["tickrate"], strict=True) for figure in beside(*pair)
    ]
    agreeing = sum(figure.agrees for figure in figures)
    command = " ".join(flags("http://127.0.0.1:PORT", Path("PATH"), Path("DIR"), quick_start)[:-1])
    return "\n\n".join(
        [
            f"`evalscope {command} '{{\"ignore_eos\": true}}'`, and the same with `tickrate`. Latencies are "
            "in ms. Two figures agree if they differ by no more than the sum of the baseline's own error (its "
            "figure less the truth of its run), the difference between the truths of the two runs, its "
            f"rounding, and {RUN_TO_RUN * 100:.1f} %.",
            f"{agreeing} of {len(figures)} figures agree.",
            table(HEAD, 2, [figure.row() for figure in figures]),
            request_text(sent, tokenizer),
        ]
    )


Stage = tuple[str, dict[str, float], Truth]
"""Its name, its figures, and what the server did."""


def run(client: Path, program: Path, tokenizer: Path, folder: Path, quick_start: str) -> list[Stage]:
    """The sweep of one client against the simulator of `program`."""
    cores = Cores.divide()
    with Server(program, ["--ttft", "50", "--itl", "5", "--seed", str(SEED)], cores, folder) as server:
        command = [str(client), *flags(server.url, tokenizer, folder, quick_start)]
        used = measured.run(command, (cores.server, cores.client), folder, {"HF_HUB_OFFLINE": "1"}, TIMEOUT_S)
        if used.status != 0:
            raise ValueError(f"{client.name} ended with status {used.status}; {folder}/client.log says why")
        served = sorted(server.stop().served, key=lambda request: request.arrived_ns)
    stages = []
    names = [path.name for path in (folder / "run").glob("parallel_*")]
    for name in sorted(names, key=lambda name: int(name.split("_")[1])):
        number = int(name.rsplit("_", 1)[1])
        stages.append((name, stage_figures(folder / "run" / name), Truth(served[:number])))
        served = served[number:]
    return stages


def stage_figures(stage: Path) -> dict[str, float]:
    """The figures of a stage by the baseline's names, whoever wrote it."""
    theirs = stage / "benchmark_summary.json"
    summary = json.loads((theirs if theirs.exists() else stage / "summary.json").read_text())
    percentiles = stage / "benchmark_percentile.json"
    rows = json.loads((percentiles if percentiles.exists() else stage / "percentiles.json").read_text())
    at: dict[str, Any] = {row["Percentiles"]: row for row in rows}

    def mean(name: str) -> float:
        value: float = summary.get(f"Avg {name}", summary.get(name))
        return value

    return {
        "Success Requests": summary["Success Requests"],
        "Avg Output Tokens": summary["Avg Output Tokens"],
        "Req Throughput (req/s)": summary["Req Throughput (req/s)"],
        "Output Throughput (tok/s)": summary["Output Throughput (tok/s)"],
        "Avg Latency": summary["Avg Latency (s)"] * 1e3,
        "Latency p99": at["99%"]["Latency (s)"] * 1e3,
        "TTFT": mean("TTFT (ms)"),
        "TTFT p50": at["50%"]["TTFT (ms)"],
        "TTFT p99": at["99%"]["TTFT (ms)"],
        "TPOT": mean("TPOT (ms)"),
        "ITL": mean("ITL (ms)"),
        "ITL p99": at["99%"]["ITL (ms)"],
    }


def true_figures(truth: Truth) -> dict[str, float]:
    """The same of what the server did."""
    seconds = (truth.last_ns - truth.first_ns) / 1e9
    latency, ttft, gaps = truth.latency(), truth.ttft(), truth.gaps()
    return {
        "Success Requests": truth.whole,
        "Avg Output Tokens": truth.tokens / len(truth.served),
        "Req Throughput (req/s)": len(truth.served) / seconds,
        "Output Throughput (tok/s)": truth.tokens / seconds,
        "Avg Latency": latency.mean,
        "Latency p99": latency.p99,
        "TTFT": ttft.mean,
        "TTFT p50": ttft.p50,
        "TTFT p99": ttft.p99,
        "TPOT": truth.times_per_token().mean,
        "ITL": gaps.mean,
        "ITL p99": gaps.p99,
    }


def beside(baseline: Stage, own: Stage) -> list[Figure]:
    """The figures of one stage."""
    name, theirs, their_truth = baseline
    _, ours, our_truth = own
    their_true = true_figures(their_truth)
    our_true = true_figures(our_truth)
    return [Figure(name, key, theirs[key], their_true[key], ours[key], our_true[key]) for key in their_true]


def record(client: Path, tokenizer: Path, folder: Path) -> list[dict[str, Any]]:
    """The bodies that a client sends for the command with one stream."""
    quick_start = (
        QUICK_START.format(tokens=32).replace("1 10 50 100 200", "1").replace("10 20 100 200 400", "4")
    )
    folder = folder / "bodies"
    folder.mkdir()
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    return bodies.recorded(
        lambda url: [str(client), *flags(url, tokenizer, folder, quick_start)], environment, folder
    )


def request_text(sent: dict[str, list[dict[str, Any]]], tokenizer: Path) -> str:
    """How the requests differ."""
    theirs, ours = (bodies.fields(sent[name][0]) for name in ("evalscope", "tickrate"))
    rows = []
    for key in sorted({*theirs, *ours}):
        values = theirs.get(key, "–"), ours.get(key, "–")
        rows.append([f"`{key}`", *values, "same" if values[0] == values[1] else "**differs**"])
    counts = {name: bodies.token_counts(bodies.texts(requests), tokenizer) for name, requests in sent.items()}
    lengths = ", ".join(f"{name} {sorted(set(values))}" for name, values in counts.items())
    return (
        "The bodies of their requests:\n\n"
        + table(["field", "EvalScope", "tickrate", ""], 4, rows)
        + f"\n\nTokens of the prompts, as chats, by the tokenizer: {lengths}; asked were 1024. Each client "
        "draws its own texts, and the simulator counts bytes and not tokens, so that the input tokens that it "
        "reports are not compared."
    )


def main() -> int:
    """Prints the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two small stages")
    parser.add_argument(
        "--program", type=Path, default=install.TICKRATE, help="the build of tickrate to compare"
    )
    arguments = parser.parse_args()
    text = compare(arguments.program.resolve(), quick=arguments.quick, echo=True)
    print(text)
    return 1 if "**differs**" in text else 0


if __name__ == "__main__":
    sys.exit(main())
