"""Holds the figures that tickrate printed against the raw records, with DuckDB and with pandas.

    python check_records.py outputs/20260101_120000/model

For each stage below the folder, the percentiles of every column of `percentiles.json` are computed
again from `requests.parquet`, twice, by two programs that know nothing of tickrate. Every figure
must agree to a relative 1e-9 and in all four decimals that are printed. The exit status is 0 if all
do, 1 if one does not, and 2 if there was nothing to compare.
"""

import json
import math
import pathlib
import sys

import duckdb
import numpy
import pandas

# Label in `percentiles.json` → quantile, or the name of another aggregate.
ROWS = {
    "min": 0.0, "1%": 0.01, "5%": 0.05, "10%": 0.1, "25%": 0.25, "50%": 0.5, "75%": 0.75,
    "90%": 0.9, "95%": 0.95, "99%": 0.99, "99.9%": 0.999, "max": 1.0, "mean": "mean",
}

# Column of `percentiles.json` → what it is in SQL, over the rows that count.
COLUMNS = {
    "Latency (s)": "latency_ms / 1000",
    "TTFT (ms)": "ttft_ms",
    "ITL (ms)": "unnest(itl_ms)",
    "TPOT (ms)": "tpot_ms",
    "Input tokens": "input_tokens",
    "Output tokens": "output_tokens",
    "Output (tok/s)": "CASE WHEN latency_ms > 0 THEN output_tokens / (latency_ms / 1000) END",
    "Total (tok/s)": "CASE WHEN latency_ms > 0 THEN (input_tokens + output_tokens) / (latency_ms / 1000) END",
    "Decode (tok/s)": "CASE WHEN tpot_ms > 0 THEN 1000 / tpot_ms END",
}


def by_duckdb(file):
    """{column: {row: figure or None}}, by DuckDB."""
    quantiles = {label: at for label, at in ROWS.items() if not isinstance(at, str)}
    figures = {}
    for column, expression in COLUMNS.items():
        values = f"SELECT {expression} AS x FROM read_parquet($file) WHERE ok AND NOT warmup"
        query = f"SELECT quantile_cont(x::DOUBLE, {list(quantiles.values())}), avg(x) FROM ({values})"
        found, mean = duckdb.execute(query, {"file": str(file)}).fetchone()
        figures[column] = dict(zip(quantiles, found or [None] * len(quantiles)))
        figures[column]["mean"] = mean
    return figures


def by_pandas(file):
    """{column: {row: figure or None}}, by pandas."""
    rows = pandas.read_parquet(file)
    rows = rows[rows["ok"] & ~rows["warmup"]]
    latency_s = rows["latency_ms"].where(rows["latency_ms"] > 0) / 1000
    gaps = [gaps for gaps in rows["itl_ms"] if gaps is not None]
    series = {
        "Latency (s)": rows["latency_ms"] / 1000,
        "TTFT (ms)": rows["ttft_ms"],
        "ITL (ms)": pandas.Series(numpy.concatenate(gaps) if gaps else [], dtype=float),
        "TPOT (ms)": rows["tpot_ms"],
        "Input tokens": rows["input_tokens"],
        "Output tokens": rows["output_tokens"],
        "Output (tok/s)": rows["output_tokens"] / latency_s,
        "Total (tok/s)": (rows["input_tokens"] + rows["output_tokens"]) / latency_s,
        "Decode (tok/s)": 1000 / rows["tpot_ms"].where(rows["tpot_ms"] > 0),
    }
    figures = {}
    for column, values in series.items():
        values = values.astype(float).dropna()
        figures[column] = {
            label: None if values.empty else float(values.mean() if at == "mean" else values.quantile(at))
            for label, at in ROWS.items()
        }
    return figures


def agree(printed, computed):
    """Whether two figures are the same one. Where the fifth decimal is a tie, the last bit of a
    double decides how it is printed; such a pair is equal if it differs in nothing but that bit."""
    if printed is None or computed is None:
        return printed is None and computed is None
    same_digits = f"{printed:.4f}" == f"{computed:.4f}"
    return math.isclose(printed, computed, rel_tol=1e-9 if same_digits else 1e-14, abs_tol=1e-12)


def check_stage(file):
    """What differs in a stage, and how many figures were compared."""
    percentiles = json.loads(file.with_name("percentiles.json").read_text())
    printed = {row["Percentiles"]: row for row in percentiles}
    problems = [f"percentiles.json has no row \"{label}\"" for label in ROWS if label not in printed]
    problems += [f"percentiles.json has a row \"{label}\" too many" for label in printed if label not in ROWS]
    compared = 0
    for program, compute in (("duckdb", by_duckdb), ("pandas", by_pandas)):
        for column, computed in compute(file).items():
            for label, figure in computed.items():
                told = printed.get(label, {}).get(column)
                compared += told is not None
                if not agree(told, figure):
                    problems.append(f"{column}, {label}: tickrate says {told!r}, {program} says {figure!r}")
    return problems, compared


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: check_records.py RUN_FOLDER")
    folder = pathlib.Path(sys.argv[1])
    files = sorted(folder.rglob("requests.parquet"))
    total = wrong = 0
    for file in files:
        try:
            problems, compared = check_stage(file)
        except (OSError, ValueError, duckdb.Error) as error:
            problems, compared = [f"cannot be checked: {error}"], 0
        total += compared
        wrong += len(problems)
        for problem in problems:
            print(f"{file.parent.name}: {problem}", file=sys.stderr)
    print(f"{total} figures of {len(files)} stages compared, {wrong} differ")
    if wrong:
        sys.exit(1)
    if total == 0:
        print(f'there was nothing to compare below "{folder}"', file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
