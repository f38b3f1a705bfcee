"""Reads what `--otlp` sent with the protocol's own messages, and holds it against the records of the run.

    python check_otlp.py outputs/20260101_120000/model heard.jsonl

Each line of heard.jsonl is one request: its path and its body. A field that the protocol does not have, or of
another type, is an error.
"""

import base64
import json
import pathlib
import sys

import pandas
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


def attributes(of):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in of.attributes}


def binary_ids(body):
    """OTLP has ids in hexadecimal, where Protocol Buffers' own JSON has them in base64."""
    for span in body["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for name, length in (("traceId", 16), ("spanId", 8)):
            raw = bytes.fromhex(span[name])
            assert len(raw) == length and any(raw), span[name]
            span[name] = base64.b64encode(raw).decode()
    return body


def last_points(requests):
    """The last value of every series: cumulative ones hold all that came before."""
    series = {}
    for request in requests:
        (resource,) = request.resource_metrics
        assert attributes(resource.resource)["service.name"] == "tickrate"
        (scope,) = resource.scope_metrics
        for metric in scope.metrics:
            kind = metric.WhichOneof("data")
            data = getattr(metric, kind)
            assert kind == "gauge" or data.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
            for point in data.data_points:
                assert point.time_unix_nano >= point.start_time_unix_nano
                named = attributes(point)
                key = (metric.name, named.get("tickrate.stage"), named.get("gen_ai.token.type"), named.get("error.type"))
                before = series.get(key)
                if kind == "histogram":
                    assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
                    assert sum(point.bucket_counts) == point.count
                    assert before is None or point.count >= before.count, f"{key} fell"
                series[key] = point
    return series


def check_metrics(requests, rows):
    series = last_points(requests)
    names = {
        "gen_ai.client.operation.time_to_first_chunk": "ttft_ms",
        "gen_ai.server.time_to_first_token": "ttft_ms",
        "gen_ai.server.time_per_output_token": "tpot_ms",
    }
    compared = 0
    for stage, group in rows.groupby("stage"):
        good = group[group["ok"]]
        expected = {(name, None, None): good[column].dropna() / 1e3 for name, column in names.items()}
        expected["gen_ai.client.operation.duration", None, None] = good["latency_ms"] / 1e3
        for kind, failed in group[~group["ok"]].groupby("error_kind"):
            expected["gen_ai.client.operation.duration", None, kind] = failed["latency_ms"].dropna() / 1e3
            assert series["tickrate.requests", stage, None, kind].as_int == len(failed)
        for kind in ("input", "output"):
            expected["gen_ai.client.token.usage", kind, None] = good[f"{kind}_tokens"].dropna()
        intervals = good["itl_ms"].explode().dropna().astype(float) / 1e3
        expected["gen_ai.client.operation.time_per_output_chunk", None, None] = intervals
        for (name, token_type, error), values in expected.items():
            point = series[name, stage, token_type, error]
            assert point.count == len(values) > 0, f"{name} of {stage}: {point.count}, not {len(values)}"
            for told, true in ((point.sum, values.sum()), (point.min, values.min()), (point.max, values.max())):
                assert abs(told - true) <= 1e-9 * max(1.0, abs(true)), f"{name} of {stage}: {told}, not {true}"
            for upper, below in zip(point.explicit_bounds, pandas.Series(list(point.bucket_counts)).cumsum()):
                assert below == (values <= upper).sum(), f"{name} of {stage}: {below} up to {upper}"
            compared += 1
        assert series["tickrate.requests", stage, None, None].as_int == len(good)
    return compared


def check_spans(requests, rows, started_ns):
    spans = {}
    for request in requests:
        for span in request.resource_spans[0].scope_spans[0].spans:
            named = attributes(span)
            assert span.kind == Span.SPAN_KIND_CLIENT and named["tickrate.request_id"] not in spans
            spans[named["tickrate.request_id"]] = (span, named)
    assert len(spans) == len(rows), f"{len(spans)} spans of {len(rows)} requests"
    for row in rows.itertuples():
        span, named = spans[row.request_id]
        assert span.end_time_unix_nano - span.start_time_unix_nano == row.completed_ns - row.sent_ns
        assert abs(span.start_time_unix_nano - started_ns - row.sent_ns) < 1_000
        assert (span.status.code == Status.STATUS_CODE_ERROR) == (not row.ok)
        if row.ok:
            assert named["gen_ai.usage.output_tokens"] == row.output_tokens
            assert span.events[0].time_unix_nano - span.start_time_unix_nano == row.first_token_ns - row.sent_ns
        else:
            assert named["error.type"] == row.error_kind
    return len(spans)


def main():
    run = pathlib.Path(sys.argv[1])
    heard = [json.loads(line) for line in pathlib.Path(sys.argv[2]).read_text().splitlines()]
    metrics = [
        json_format.ParseDict(one["body"], ExportMetricsServiceRequest())
        for one in heard if one["path"] == "/v1/metrics"
    ]
    traces = [
        json_format.ParseDict(binary_ids(one["body"]), ExportTraceServiceRequest())
        for one in heard if one["path"] == "/v1/traces"
    ]
    rows = pandas.concat(pandas.read_parquet(file) for file in sorted(run.glob("*/requests.parquet")))
    rows = rows[~rows["warmup"]]
    started = pandas.Timestamp(json.loads((run / "run.json").read_text())["started_at"])
    compared = check_metrics(metrics, rows)
    spans = check_spans(traces, rows, started.value)
    print(f"agree: {len(metrics)} requests of metrics, {compared} distributions, {spans} spans")


if __name__ == "__main__":
    main()
