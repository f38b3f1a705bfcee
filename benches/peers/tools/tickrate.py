"""tickrate itself."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tools import Report
from truth import Spread
from workload import MODEL, PROMPT, Load


class Tickrate:
    """`tickrate perf`."""

    name = "tickrate"
    followed = "none; as it is"

    def __init__(self, program: Path) -> None:
        """`program` is the binary."""
        self._program = program
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        self.version = said.stdout.split()[-1]

    def command(self, load: Load, url: str, folder: Path) -> list[str]:
        """See `Tool`."""
        command = f"{self._program} perf --model {MODEL} --url {url}/v1/chat/completions"
        command += f" --parallel {load.streams} --number {load.requests} --max-tokens {load.tokens}"
        command += (
            f" --log-every-n-query 0 --no-test-connection --no-timestamp --name run --outputs-dir {folder}"
        )
        return [*command.split(), "--prompt", PROMPT]

    def environment(self, load: Load) -> Mapping[str, str]:
        """See `Tool`."""
        return {}

    def report(self, folder: Path) -> Report:
        """See `Tool`."""
        (stage,) = (folder / "run").glob("*/summary.json")
        summary = json.loads(stage.read_text())
        rows = json.loads((stage.parent / "percentiles.json").read_text())
        at = {row["Percentiles"]: row for row in rows}
        spread = {
            metric: Spread(at["mean"][metric], at["50%"][metric], at["99%"][metric])
            for metric in ("TTFT (ms)", "ITL (ms)")
        }
        return Report(
            succeeded=summary["Success Requests"],
            ttft=spread["TTFT (ms)"],
            itl=spread["ITL (ms)"],
            itl_is_mean=False,
            per_token={"Time per token": summary["Time per token (ms)"], "TPOT": summary["TPOT (ms)"]},
            verdict=summary["Client Health"]["verdict"],
        )
