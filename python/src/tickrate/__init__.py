"""tickrate: benchmarks LLM inference servers, and says how far its own numbers can be trusted.

    from tickrate import Arguments, run_perf_benchmark, load_run

    run = run_perf_benchmark(Arguments(model="m", url="http://127.0.0.1:8801", parallel=[1, 10], number=[10, 100]))
    run["parallel_10_number_100"].summary.ttft_ms
    load_run("outputs/20260101_120000/m").to_pandas()

The work is done by the `tickrate` binary, which is part of this package.
"""

from .arguments import Arguments
from .errors import TickrateError
from .perf import run_perf_benchmark
from .results import Percentiles, Run, Stage, Summary, load_run

__all__ = [
    "Arguments",
    "Percentiles",
    "Run",
    "Stage",
    "Summary",
    "TickrateError",
    "load_run",
    "run_perf_benchmark",
]
