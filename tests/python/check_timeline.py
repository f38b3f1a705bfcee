"""Computes the timelines of a run's stages again from the records, with numpy, and compares.

    python check_timeline.py outputs/20260101_120000/model
"""

import math
import pathlib
import sys

import numpy
import pandas


def expected(rows, start, end, is_last):
    """The figures of one interval."""
    def inside(moment):
        return (moment >= start) & ((moment <= end) if is_last else (moment < end))

    length_s = (end - start) / 1e9
    over, ok = rows[inside(rows["completed_ns"])], rows[rows["ok"]]
    sent = rows["sent_ns"].astype(float)
    overlap = (numpy.minimum(rows["closed_ns"], end) - numpy.maximum(sent, start)).clip(lower=0)
    tokens, gaps = 0.0, []
    for row in ok.itertuples():
        if row.frame_ns is None:
            continue
        came = inside(row.frame_ns)
        if row.output_tokens == row.output_tokens:
            weights = numpy.array(row.frame_tokens, dtype=float) if row.frame_tokens is not None else numpy.array([numpy.nan])
            if numpy.isnan(weights).any():
                weights = numpy.ones(len(row.frame_ns))
            tokens += row.output_tokens * weights[came].sum() / weights.sum()
        gaps.extend(row.itl_ms[came[1:]])
    figures = {
        "sent": int(inside(sent).sum()),
        "succeeded": int(over["ok"].sum()),
        "failed": int((~over["ok"]).sum()),
        "in_flight": overlap.sum() / (end - start),
        "request_rps": over["ok"].sum() / length_s,
        "output_tokens": tokens,
        "output_tps": tokens / length_s,
    }
    good = over[over["ok"]]
    times = {
        "latency": good["latency_ms"],
        "ttft": ok[inside(ok["first_token_ns"])]["ttft_ms"],
        "tpot": good["tpot_ms"],
        "itl": pandas.Series(gaps, dtype=float),
    }
    for name, values in times.items():
        values = values.dropna().astype(float)
        figures[f"{name}_mean_ms"] = values.mean() if len(values) else None
        for percent in (50, 90, 99):
            figures[f"{name}_p{percent}_ms"] = values.quantile(percent / 100) if len(values) else None
    return figures


def same(told, figure):
    if figure is None or told is None or told != told:
        return figure is None and (told is None or told != told)
    return math.isclose(told, figure, rel_tol=1e-9, abs_tol=1e-9)


def main():
    files = sorted(pathlib.Path(sys.argv[1]).rglob("timeline.parquet"))
    for file in files:
        timeline = pandas.read_parquet(file)
        rows = pandas.read_parquet(file.with_name("requests.parquet"))
        rows = rows[~rows["warmup"]]
        assert len(timeline) > 1, "there are several intervals"
        assert timeline["start_ns"][0] == rows["sent_ns"].min()
        assert timeline["end_ns"].iloc[-1] == rows["closed_ns"].max()
        for index, told in timeline.iterrows():
            last = index == len(timeline) - 1
            for name, figure in expected(rows, told["start_ns"], told["end_ns"], last).items():
                assert same(told[name], figure), f"{file}: {index}: {name}: {told[name]!r}, not {figure!r}"
            assert told["in_flight_max"] >= told["in_flight"]
    print(f"{len(files)} timelines agree with their records")


if __name__ == "__main__":
    main()
