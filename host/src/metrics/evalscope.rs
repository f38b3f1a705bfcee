//! The figures of a stage as `evalscope perf` computes and rounds them, so that an old number can be
//! found again to the digit. Names, order and rounding are those of its `benchmark_summary.json` and
//! `benchmark_percentile.json`.

mod traces;
mod workload;

use std::io;

use super::Samples;
use crate::record::{EvalscopeFigures, RequestRecord, StageHeader};
use crate::units::Nanos;
use traces::Traces;
use workload::Workload;

pub use traces::{TraceRow, TraceSummary};
pub use workload::{WorkloadPoint, WorkloadRow, WorkloadThroughput};

/// The rows of its percentile table: min, percentages, max.
const PERCENTAGES: [u64; 9] = [1, 5, 10, 25, 50, 75, 90, 95, 99];
/// The columns of its percentile table.
const COLUMNS: [&str; 9] = [
    "Latency (s)",
    "TTFT (ms)",
    "ITL (ms)",
    "TPOT (ms)",
    "Input tokens",
    "Output tokens",
    "Output (tok/s)",
    "Total (tok/s)",
    "Decode (tok/s)",
];

/// Collects the records of one stage.
#[derive(Debug)]
pub struct EvalscopeAccumulator {
    total: u64,
    succeeded: u64,
    started: Option<Nanos>,
    completed: Option<Nanos>,
    /// Sums over successes: latency and the first part of it in seconds, input and output tokens.
    sums: [f64; 4],
    streamed: Sums,
    all: Sums,
    itl: (f64, u64),
    decoded: (f64, u64),
    cached: (u64, u64),
    /// User turns in the contexts, and TTFT of first and of later turns with their number; of a stage of
    /// conversations.
    turns: u64,
    turn_ttft: [(f64, u64); 2],
    /// Whether it takes the API for one that generates nothing: by the name.
    input_only: bool,
    columns: [Samples; COLUMNS.len()],
    workload: Workload,
    traces: Traces,
}

/// What it averages over streams, and over everything where there is no stream.
#[derive(Debug)]
struct Sums {
    count: u64,
    ttft_s: f64,
    tpot_s: f64,
    percentiles: [Samples; 3],
}

impl Sums {
    fn push(&mut self, figures: &EvalscopeFigures) {
        self.count += 1;
        self.ttft_s += figures.ttft_s;
        self.tpot_s += figures.tpot_s;
        let [ttft, tpot, decode] = &mut self.percentiles;
        ttft.push(Some(figures.ttft_s * 1e3));
        tpot.push(Some(figures.tpot_s * 1e3));
        // It sorts a list with NaN in it there, whose order is anybody's guess.
        decode.push((figures.tpot_s > 0.0).then(|| 1.0 / figures.tpot_s));
    }
}

/// The figures of a stage by its definitions.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalscopeSummary {
    /// Name and value, in its order; rounded as it rounds.
    pub figures: Vec<(&'static str, f64)>,
    /// The label of each row, and the values in the order of [`EvalscopeSummary::columns`]; `None`
    /// where there were none.
    pub percentiles: Vec<(String, Vec<Option<f64>>)>,
    /// How fast tokens were worked off; `None` if no request succeeded.
    pub workload: Option<WorkloadThroughput>,
    /// The conversations of several turns; `None` if there were none.
    pub traces: Option<TraceSummary>,
}

impl EvalscopeSummary {
    /// The columns of the percentiles.
    pub fn columns() -> &'static [&'static str] {
        &COLUMNS
    }

    /// The figure of that name.
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The value in a row and a column of the percentiles.
    pub fn percentile(&self, row: &str, column: &str) -> Option<f64> {
        let at = COLUMNS.iter().position(|name| *name == column)?;
        *self.percentiles.iter().find(|(label, _)| label == row)?.1.get(at)?
    }
}

impl EvalscopeAccumulator {
    /// An accumulator without records; what is too much for memory goes into files without names
    /// in the stage's folder.
    pub fn new(stage: &StageHeader) -> EvalscopeAccumulator {
        let samples = || Samples::new(&stage.folder);
        let sums =
            || Sums { count: 0, ttft_s: 0.0, tpot_s: 0.0, percentiles: std::array::from_fn(|_| samples()) };
        EvalscopeAccumulator {
            total: 0,
            succeeded: 0,
            started: None,
            completed: None,
            sums: [0.0; 4],
            streamed: sums(),
            all: sums(),
            itl: (0.0, 0),
            decoded: (0.0, 0),
            cached: (0, 0),
            turns: 0,
            turn_ttft: [(0.0, 0); 2],
            input_only: false,
            columns: std::array::from_fn(|_| samples()),
            workload: Workload::default(),
            traces: Traces::new(stage.conversations),
        }
    }

    /// Takes a record into account.
    pub fn push(&mut self, record: &RequestRecord) {
        if record.key.warmup {
            return;
        }
        self.total += 1;
        let started = record.sent.unwrap_or(record.due);
        self.started = Some(self.started.map_or(started, |first| first.min(started)));
        // A failure has no end there, so that one at the end of a test does not make it longer.
        let Some(figures) = EvalscopeFigures::of(record) else { return };
        let completed = figures.completed;
        self.completed = Some(self.completed.map_or(completed, |last| last.max(completed)));
        self.succeeded += 1;
        let (input, output) = (figures.input_tokens as f64, figures.output_tokens as f64);
        for (sum, value) in self.sums.iter_mut().zip([figures.latency_s, figures.ttft_s, input, output]) {
            *sum += value;
        }
        self.workload.push(record, &figures);
        self.traces.push(record, &figures);
        self.all.push(&figures);
        if figures.streamed {
            self.streamed.push(&figures);
        }
        for &gap in &figures.itl_s {
            self.itl = (self.itl.0 + gap, self.itl.1 + 1);
            self.columns[2].push(Some(gap * 1e3));
        }
        if let Some(tokens) = figures.decoded_tokens_per_iter() {
            self.decoded = (self.decoded.0 + tokens, self.decoded.1 + 1);
        }
        if let Some(cached) = record.tokens.cached {
            self.cached = (self.cached.0 + cached, self.cached.1 + figures.input_tokens);
        }
        self.turns += u64::from(record.key.input_turns);
        let (ttft_s, count) = self.turn_ttft[usize::from(record.key.turn > 0)];
        self.turn_ttft[usize::from(record.key.turn > 0)] = (ttft_s + figures.ttft_s, count + 1);
        self.input_only |= ["embed", "rerank"].iter().any(|kind| record.key.api.contains(kind));
        let per_second = |tokens: f64| (figures.latency_s > 0.0).then(|| tokens / figures.latency_s);
        for (column, value) in [
            (0, Some(figures.latency_s)),
            (4, Some(input)),
            (5, Some(output)),
            (6, per_second(output)),
            (7, per_second(input + output)),
        ] {
            self.columns[column].push(value);
        }
    }

    /// The stage's figures. It fails if values that went into a file could not be written or read.
    pub fn finish(self, stage: &StageHeader) -> io::Result<EvalscopeSummary> {
        let streams = self.streamed.count;
        let chosen = if streams > 0 { self.streamed } else { self.all };
        let span = |(first, last): (Nanos, Nanos)| (last - first).as_s();
        let duration_s = self.started.zip(self.completed).map_or(1.0, span);
        let ratio = |a: f64, b: f64| if b == 0.0 { -1.0 } else { a / b };
        let successes = self.succeeded as f64;
        let [latency_s, ttft_s, input, output] = self.sums;
        let itl_s = if self.itl.1 == 0 { 0.0 } else { self.itl.0 / self.itl.1 as f64 };
        let ms = |seconds: f64| if seconds == -1.0 { -1.0 } else { round(seconds * 1e3, 2) };
        // What does not apply to the kind of API is 0 there.
        let of_output = |value: f64| if self.input_only { 0.0 } else { value };
        let of_input = |value: f64| if self.input_only { value } else { 0.0 };
        let mut figures = vec![
            ("Test Duration (s)", round(duration_s, 4)),
            ("Concurrency", stage.parallel.map_or(-1.0, f64::from)),
            ("Request Rate (req/s)", stage.rate_rps.unwrap_or(-1.0)),
            ("Total Requests", self.total as f64),
            ("Success Requests", successes),
            ("Failed Requests", (self.total - self.succeeded) as f64),
            ("Stream Requests", streams as f64),
            ("Non-Stream Requests", (self.succeeded - streams) as f64),
            ("Req Throughput (req/s)", round(ratio(successes, duration_s), 4)),
            ("Avg Latency (s)", round(ratio(latency_s, successes), 4)),
            ("Avg Input Tokens", round(ratio(input, successes), 4)),
            ("Output Throughput (tok/s)", of_output(round(ratio(output, duration_s), 4))),
            ("Total Throughput (tok/s)", of_output(round(ratio(input + output, duration_s), 4))),
            ("Avg TTFT (ms)", of_output(ms(ratio(chosen.ttft_s, chosen.count as f64)))),
            ("Avg TPOT (ms)", of_output(ms(ratio(chosen.tpot_s, chosen.count as f64)))),
            ("Avg ITL (ms)", of_output(ms(itl_s))),
            ("Avg Output Tokens", of_output(round(ratio(output, successes), 4))),
            ("Input Throughput (tok/s)", of_input(round(ratio(input, ttft_s), 4))),
        ];
        if stage.conversations && self.turns > 0 {
            figures.push(("Avg Turns/Request", round(ratio(self.turns as f64, successes), 4)));
        }
        if self.cached.1 > 0 {
            figures.push((
                "KV Cache Hit Rate (%)",
                round(self.cached.0 as f64 * 100.0 / self.cached.1 as f64, 4),
            ));
        }
        let [first, later] = self.turn_ttft;
        for (name, (ttft_s, count)) in
            [("Avg First-Turn TTFT (ms)", first), ("Avg Subsequent-Turn TTFT (ms)", later)]
        {
            if stage.conversations && count > 0 {
                figures.push((name, ms(ttft_s / count as f64)));
            }
        }
        if self.decoded.1 > 0 {
            let tokens = self.decoded.0 / self.decoded.1 as f64;
            figures.push(("Avg Decoded Tok/Iter", round(tokens, 4)));
            figures.push(("Spec. Accept Rate", round((1.0 - 1.0 / tokens).clamp(0.0, 1.0), 4)));
        }
        let mut columns = self.columns;
        let [ttft, tpot, decode] = chosen.percentiles;
        (columns[1], columns[3], columns[8]) = (ttft, tpot, decode);
        // Its rule: the value at the index `int(count * percentage / 100)`.
        let ranks = |count: u64| {
            let inner = PERCENTAGES.iter().map(|percent| count * percent / 100);
            std::iter::once(0).chain(inner).chain([count - 1]).map(|rank| rank.min(count - 1)).collect()
        };
        let picked = columns
            .into_iter()
            .map(|samples| samples.at_ranks(ranks))
            .collect::<io::Result<Vec<Option<(f64, Vec<f64>)>>>>()?;
        let labels = PERCENTAGES.iter().map(|percent| format!("{percent}%"));
        let labels = std::iter::once("min".to_string()).chain(labels).chain(["max".to_string()]);
        let row = |(at, label): (usize, String)| {
            let cell = |column: &Option<(f64, Vec<f64>)>| Some(round(column.as_ref()?.1[at], 2));
            (label, picked.iter().map(cell).collect())
        };
        Ok(EvalscopeSummary {
            figures,
            percentiles: labels.enumerate().map(row).collect(),
            workload: self.workload.finish(),
            traces: self.traces.finish(),
        })
    }
}

/// Python's `round`: the nearest decimal, of two that are as near the even one.
pub fn round(value: f64, places: usize) -> f64 {
    format!("{value:.places$}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests;
