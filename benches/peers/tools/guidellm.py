"""GuideLLM."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import install
from tools import Report
from truth import Spread
from workload import MODEL, PROMPT, Load, write_rows


class GuideLLM:
    """`guidellm run`."""

    name = "GuideLLM"
    followed = (
        "the extra `recommended`, which brings uvloop, orjson, msgspec and msgpack; a worker process for each "
        "core (`GUIDELLM__MAX_WORKER_PROCESSES`; with its default of 10 it was slower); no interactive display"
    )

    def __init__(self, tokenizer: Path, workers: int) -> None:
        """`tokenizer` is a folder; `workers` are processes that send."""
        self.version = install.version("guidellm")
        self._tokenizer = tokenizer
        self._workers = workers

    def command(self, load: Load, url: str, folder: Path) -> list[str]:
        """See `Tool`."""
        row: dict[str, object] = {"prompt": PROMPT, "output_tokens_count": load.tokens}
        rows = write_rows(folder / "prompts.jsonl", row, load.requests)
        command = f"{install.program('guidellm')} run"
        command += f" --backend kind=openai_http,target={url},model={MODEL}"
        command += f" --profile kind=concurrent,streams={load.streams}"
        command += f" --constraint kind=max_requests,count={load.requests}"
        command += f" --data kind=json_file,path={rows}"
        command += f" --tokenizer kind=hf_auto,model={self._tokenizer}"
        command += f" --output kind=json,path={folder / 'report.json'}"
        return [*command.split(), "--disable-console-interactive"]

    def environment(self, load: Load) -> Mapping[str, str]:
        """See `Tool`."""
        return {"HF_HUB_OFFLINE": "1", "GUIDELLM__MAX_WORKER_PROCESSES": str(self._workers)}

    def report(self, folder: Path) -> Report:
        """See `Tool`."""
        (benchmark,) = json.loads((folder / "report.json").read_text())["benchmarks"]
        metrics = benchmark["metrics"]

        def spread(metric: str) -> Spread:
            of = metrics[metric]["successful"]
            return Spread(of["mean"], of["percentiles"]["p50"], of["percentiles"]["p99"])

        return Report(
            succeeded=metrics["request_totals"]["successful"],
            ttft=spread("time_to_first_token_ms"),
            itl=spread("inter_token_latency_ms"),
            itl_is_mean=True,
            per_token={
                "ITL": spread("inter_token_latency_ms").mean,
                "TPOT": spread("time_per_output_token_ms").mean,
            },
        )
