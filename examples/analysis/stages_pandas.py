"""The figures of each stage of a run, with pandas.

    python stages_pandas.py outputs/20260101_120000/model
"""

import pathlib
import sys

import pandas

pandas.set_option("display.width", 200, "display.max_columns", None)


def stage(file):
    """The figures of one stage."""
    rows = pandas.read_parquet(file)
    rows = rows[~rows["warmup"]]
    ok = rows[rows["ok"]]
    began = rows["sent_ns"].fillna(rows["due_ns"]).min()
    duration_s = (rows["completed_ns"].max() - began) / 1e9
    figures = {
        "stage": rows["stage"].iloc[0],
        "requests": len(rows),
        "failed": int((~rows["ok"]).sum()),
        "duration_s": duration_s,
        "request_rps": len(ok) / duration_s,
        "output_tps": ok["output_tokens"].sum() / duration_s,
    }
    times = {name: ok[f"{name}_ms"] for name in ("latency", "ttft", "tpot")}
    times["itl"] = ok["itl_ms"].explode().astype(float)
    for name, values in times.items():
        figures[f"{name}_mean_ms"] = values.mean()
        figures[f"{name}_p99_ms"] = values.quantile(0.99)
    return figures


def stages(run):
    """A row for each stage of the run in the folder `run`."""
    return pandas.DataFrame(stage(file) for file in sorted(pathlib.Path(run).glob("*/requests.parquet")))


if __name__ == "__main__":
    print(stages(sys.argv[1]))
