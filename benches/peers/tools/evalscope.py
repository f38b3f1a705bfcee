"""EvalScope."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import install
from tools import Report
from truth import Spread
from workload import MODEL, PROMPT, Load


class EvalScope:
    """`evalscope perf`."""

    name = "EvalScope"
    followed = (
        "the extra `perf`, which brings uvloop; its documentation has no advice for high load, and the "
        "multipliers of its queues are left at their defaults; no progress log"
    )

    def __init__(self) -> None:
        """Asks for its version."""
        self.version = install.version("evalscope")

    def command(self, load: Load, url: str, folder: Path) -> list[str]:
        """See `Tool`."""
        command = f"{install.program('evalscope')} perf --model {MODEL} --url {url}/v1/chat/completions"
        command += f" --parallel {load.streams} --number {load.requests} --max-tokens {load.tokens}"
        command += " --log-every-n-query 1000000 --no-test-connection --no-timestamp --name run"
        command += f" --outputs-dir {folder}"
        return [*command.split(), "--prompt", PROMPT]

    def environment(self, load: Load) -> Mapping[str, str]:
        """See `Tool`."""
        return {"HF_HUB_OFFLINE": "1"}

    def report(self, folder: Path) -> Report:
        """See `Tool`."""
        (stage,) = (folder / "run").glob("*/benchmark_summary.json")
        summary = json.loads(stage.read_text())
        rows = json.loads((stage.parent / "benchmark_percentile.json").read_text())
        at = {row["Percentiles"]: row for row in rows}
        spread = {
            metric: Spread(summary[f"Avg {metric}"], at["50%"][metric], at["99%"][metric])
            for metric in ("TTFT (ms)", "ITL (ms)")
        }
        return Report(
            succeeded=summary["Success Requests"],
            ttft=spread["TTFT (ms)"],
            itl=spread["ITL (ms)"],
            itl_is_mean=False,
            per_token={"TPOT": summary["Avg TPOT (ms)"]},
        )
