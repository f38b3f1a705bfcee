"""Runs `examples/analysis` on a run and holds every figure against the run's own.

    python check_analysis.py outputs/20260101_120000/model

The SQL file, the pandas script, the Polars script and each cell of the notebook are run as they are.
"""

import json
import math
import os
import pathlib
import sys

import duckdb

ANALYSIS = pathlib.Path(__file__).resolve().parents[2] / "examples" / "analysis"


def by_sql(run):
    query = (ANALYSIS / "stages.sql").read_text().replace("RUN", str(run))
    return duckdb.sql(query).df().to_dict("records")


def by_pandas(run):
    import stages_pandas

    return stages_pandas.stages(run).to_dict("records")


def by_polars(run):
    import stages_polars

    return stages_polars.stages(run).to_dicts()


def by_notebook(run):
    notebook = json.loads((ANALYSIS / "stages.ipynb").read_text())
    os.environ["TICKRATE_RUN"] = str(run)
    os.chdir(ANALYSIS)
    names = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    figures = names["figures"]
    # What the other cells show must agree with the figures.
    assert len(names["failures"]) > 0 and names["failures"]["requests"].sum() == figures["failed"].sum()
    timeline = names["timeline"].groupby("stage")
    for row in figures.itertuples():
        stage = timeline.get_group(row.stage)
        assert stage["failed"].sum() == row.failed and stage["succeeded"].sum() + row.failed == row.requests
        assert math.isclose(stage["output_tokens"].sum(), row.output_tps * row.duration_s, rel_tol=1e-9)
    return figures.to_dict("records")


def printed(run, stage):
    """The figures under the names of the analysis, as the run itself wrote them."""
    summary = json.loads((run / stage / "summary.json").read_text())
    rows = json.loads((run / stage / "percentiles.json").read_text())
    p99 = next(row for row in rows if row["Percentiles"] == "99%")
    return {
        "requests": summary["Total Requests"],
        "failed": summary["Failed Requests"],
        "duration_s": summary["Test Duration (s)"],
        "request_rps": summary["Req Throughput (req/s)"],
        "output_tps": summary["Output Throughput (tok/s)"],
        "latency_mean_ms": summary["Avg Latency (s)"] * 1000,
        "latency_p99_ms": p99["Latency (s)"] * 1000,
        "ttft_mean_ms": summary["TTFT (ms)"],
        "ttft_p99_ms": p99["TTFT (ms)"],
        "tpot_mean_ms": summary["TPOT (ms)"],
        "tpot_p99_ms": p99["TPOT (ms)"],
        "itl_mean_ms": summary["ITL (ms)"],
        "itl_p99_ms": p99["ITL (ms)"],
    }


def main():
    run = pathlib.Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(ANALYSIS))
    sys.dont_write_bytecode = True
    compared = 0
    stages = sorted(file.parent.name for file in run.glob("*/requests.parquet"))
    for compute in (by_sql, by_pandas, by_polars, by_notebook):
        rows = compute(run)
        assert sorted(row["stage"] for row in rows) == stages, compute.__name__
        for row in rows:
            for name, told in printed(run, row["stage"]).items():
                same = math.isclose(row[name], told, rel_tol=1e-9)
                assert same, f"{compute.__name__}: {row['stage']}: {name}: {row[name]!r}, not {told!r}"
                compared += 1
    print(f"{compared} figures of {len(stages)} stages agree")


if __name__ == "__main__":
    main()
