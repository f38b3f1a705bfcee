"""AIPerf."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import install
from tools import Report
from truth import Spread
from workload import MODEL, PROMPT, Load, write_rows

STREAMS_PER_WORKER = 500
"""What the defaults of AIPerf are designed for, by its reference of environment variables."""


class AIPerf:
    """`aiperf profile`."""

    name = "AIPerf"
    followed = (
        f"a worker for each {STREAMS_PER_WORKER} streams (`--workers-max`; its formula for two cores gives "
        "one); `--ui none`; the server's token counts, so that it tokenises nothing; no records of single "
        "requests; no telemetry of GPU and server"
    )

    def __init__(self, tokenizer: Path) -> None:
        """`tokenizer` is a folder."""
        self.version = install.version("aiperf")
        self._tokenizer = tokenizer

    def command(self, load: Load, url: str, folder: Path) -> list[str]:
        """See `Tool`."""
        rows = write_rows(folder / "prompts.jsonl", {"text": PROMPT}, 1)
        workers = math.ceil(load.streams / STREAMS_PER_WORKER)
        command = f"{install.program('aiperf')} profile --model {MODEL} --url {url}"
        command += " --endpoint-type chat --streaming"
        command += f" --concurrency {load.streams} --request-count {load.requests} --workers-max {workers}"
        command += f" --input-file {rows} --custom-dataset-type single_turn --tokenizer {self._tokenizer}"
        command += f" --extra-inputs max_tokens:{load.tokens} --use-server-token-count --export-level summary"
        command += f" --ui none --no-gpu-telemetry --no-server-metrics --artifact-dir {folder}"
        return command.split()

    def environment(self, load: Load) -> Mapping[str, str]:
        """See `Tool`."""
        return {}

    def report(self, folder: Path) -> Report:
        """See `Tool`."""
        report = json.loads((folder / "profile_export_aiperf.json").read_text())

        def spread(metric: str) -> Spread:
            of = report[metric]
            return Spread(of["avg"], of["p50"], of["p99"])

        return Report(
            succeeded=round(report["request_count"]["avg"]),
            ttft=spread("time_to_first_token"),
            itl=spread("inter_chunk_latency"),
            itl_is_mean=False,
            per_token={"ITL": spread("inter_token_latency").mean},
        )
