"""The figures of each stage of a run, with Polars, which reads only the columns that it needs.

    python stages_polars.py outputs/20260101_120000/model
"""

import sys

import polars
from polars import col


def stages(run):
    """A row for each stage of the run in the folder `run`."""
    measured = polars.scan_parquet(f"{run}/*/requests.parquet").filter(~col("warmup"))
    totals = measured.group_by("stage").agg(
        requests=polars.len(),
        failed=(~col("ok")).sum(),
        duration_s=(col("completed_ns").max() - col("sent_ns").fill_null(col("due_ns")).min()) / 1e9,
    )
    ok = measured.filter(col("ok"))

    def times(name):
        values = col(f"{name}_ms")
        return {
            f"{name}_mean_ms": values.mean(),
            f"{name}_p99_ms": values.quantile(0.99, interpolation="linear"),
        }

    successes = ok.group_by("stage").agg(
        succeeded=polars.len(),
        output_tokens=col("output_tokens").sum(),
        **times("latency"), **times("ttft"), **times("tpot"),
    )
    gaps = ok.select("stage", "itl_ms").explode("itl_ms").group_by("stage").agg(**times("itl"))
    joined = totals.join(successes, on="stage", how="left").join(gaps, on="stage", how="left")
    rates = joined.with_columns(
        request_rps=col("succeeded") / col("duration_s"),
        output_tps=col("output_tokens") / col("duration_s"),
    )
    return rates.drop("succeeded", "output_tokens").sort("stage").collect()


if __name__ == "__main__":
    with polars.Config(tbl_cols=-1, tbl_rows=-1, tbl_width_chars=200):
        print(stages(sys.argv[1]))
