//! The columns of `timeline.parquet`.

use super::super::cells::Cell;
use super::super::schema::{Column, Kind, MOMENT, always, maybe};
use super::intervals::{Figures, QUANTILES};
use Kind::{Double, Int64, Text};

/// The columns, in their order in the file.
pub const TIMELINE_COLUMNS: [Column; 27] = [
    always("stage", Text, "", "the stage's name"),
    always(
        "start_ns",
        Int64,
        MOMENT,
        "where the interval begins; the first begins when the first request was sent",
    ),
    always("end_ns", Int64, MOMENT, "where it ends; the last one ends when the last exchange was over"),
    always("sent", Int64, "count", "requests that were sent in it"),
    always("succeeded", Int64, "count", "requests that were completed in it and succeeded"),
    always("failed", Int64, "count", "requests that were over in it and failed"),
    always("in_flight", Double, "count", "requests between sent and closed, mean over its time"),
    always("in_flight_max", Int64, "count", "the most of them at a time"),
    maybe("request_rps", Double, "requests per s", "`succeeded` ÷ its length; null where it has none"),
    always(
        "output_tokens",
        Double,
        "tokens",
        "output tokens of successes that came in it: with their frames, or else when the answer was complete",
    ),
    maybe("output_tps", Double, "tokens per s", "`output_tokens` ÷ its length; null where it has none"),
    maybe("latency_mean_ms", Double, "ms", "latency of the successes completed in it: mean"),
    maybe("latency_p50_ms", Double, "ms", "… median"),
    maybe("latency_p90_ms", Double, "ms", "… 90th percentile"),
    maybe("latency_p99_ms", Double, "ms", "… 99th percentile"),
    maybe("ttft_mean_ms", Double, "ms", "TTFT of the successes whose first token came in it: mean"),
    maybe("ttft_p50_ms", Double, "ms", "… median"),
    maybe("ttft_p90_ms", Double, "ms", "… 90th percentile"),
    maybe("ttft_p99_ms", Double, "ms", "… 99th percentile"),
    maybe("tpot_mean_ms", Double, "ms per token", "TPOT of the successes completed in it: mean"),
    maybe("tpot_p50_ms", Double, "ms per token", "… median"),
    maybe("tpot_p90_ms", Double, "ms per token", "… 90th percentile"),
    maybe("tpot_p99_ms", Double, "ms per token", "… 99th percentile"),
    maybe("itl_mean_ms", Double, "ms", "intervals between frames of successes that ended in it: mean"),
    maybe("itl_p50_ms", Double, "ms", "… median"),
    maybe("itl_p90_ms", Double, "ms", "… 90th percentile"),
    maybe("itl_p99_ms", Double, "ms", "… 99th percentile"),
];

/// The row of an interval, in the order of [`TIMELINE_COLUMNS`].
pub(super) fn cells<'a>(stage: &'a str, figures: &Figures) -> Vec<Cell<'a>> {
    let length_s = (figures.end - figures.start).as_s();
    let per_s = |count: f64| if length_s > 0.0 { Cell::Double(count / length_s) } else { Cell::Null };
    let mut cells = vec![
        Cell::Text(stage),
        Cell::Int(figures.start.0),
        Cell::Int(figures.end.0),
        Cell::count(figures.sent),
        Cell::count(figures.succeeded),
        Cell::count(figures.failed),
        Cell::Double(figures.in_flight),
        Cell::count(figures.in_flight_max),
        per_s(figures.succeeded as f64),
        Cell::Double(figures.output_tokens),
        per_s(figures.output_tokens),
    ];
    for times in &figures.times_ms {
        let times = times.as_ref();
        cells.push(Cell::maybe(times, |times| Cell::Double(times.mean())));
        cells.extend(QUANTILES.map(|q| Cell::maybe(times, |times| Cell::Double(times.quantile(q)))));
    }
    cells
}
