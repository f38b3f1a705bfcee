"""Holds `server_metrics.parquet` of a run against what the simulator wrote down of itself.

    python check_server_metrics.py outputs/20260101_120000/model truth.jsonl

Where the simulator's state did not change within 15 ms of a question, the answer must be exactly that state.
"""

import json
import pathlib
import sys

import pandas

MARGIN_NS = 15_000_000


def main():
    run = pathlib.Path(sys.argv[1])
    origin = json.loads((run / "run.json").read_text())["clock_origin_ns"]
    truth = [json.loads(line) for line in pathlib.Path(sys.argv[2]).read_text().splitlines()]
    rows = pandas.read_parquet(run / "server_metrics.parquet")
    moments = [line[name] for line in truth for name in ("received_ns", "started_ns", "finished_ns")]
    compared = 0
    for name, begin, end in (("running", "started_ns", "finished_ns"), ("waiting", "received_ns", "started_ns")):
        for row in rows[rows["name"] == f"vllm:num_requests_{name}"].itertuples():
            at = row.at_ns + origin
            if any(at - MARGIN_NS < moment < at + MARGIN_NS for moment in moments):
                continue
            expected = sum(line[begin] <= at < line[end] for line in truth)
            assert row.value == expected, f"{name} at {row.at_ns}: {row.value}, not {expected}"
            assert dict(row.labels)["engine"] == "0"
            compared += expected > 0
    assert compared >= 5, f"only {compared} moments could be compared"
    print(f"agree at {compared} moments")


if __name__ == "__main__":
    main()
