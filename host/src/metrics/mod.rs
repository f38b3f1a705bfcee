//! Records → the figures of a stage. Formulas that concern one request are in [`crate::record`];
//! here they are only put together. Warm-up requests are left out of everything, failed ones of
//! everything but the counts and the duration.

mod samples;
mod select;
mod summary;

use std::collections::BTreeMap;
use std::io;

pub use samples::{Distribution, Samples};
pub use summary::{Figure, PERCENTILES, Percentile, Section, StageSummary};

use crate::contract::FailureKind;
use crate::record::{ClientHealth, GoodputTarget, RequestRecord, StageHeader, TokenSource};
use crate::units::Nanos;

/// Collects the records of one stage. Its memory does not grow with the number of records.
#[derive(Debug)]
pub struct StageAccumulator {
    total: u64,
    succeeded: u64,
    goodput: Vec<GoodputTarget>,
    good: u64,
    failures: BTreeMap<FailureKind, FailureCount>,
    first_start: Option<Nanos>,
    last_completed: Option<Nanos>,
    sources: [u64; 3],
    turns: Mean,
    several_turns: bool,
    cached_tokens: u64,
    input_of_cached: u64,
    cached_known: bool,
    decoded_per_iter: Mean,
    metrics: Vec<Samples>,
}

/// How often a kind of failure happened, and one example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureCount {
    /// Requests that failed so.
    pub count: u64,
    /// What the first of them said.
    pub example: String,
}

/// A metric that each request has one value of, or many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Completed − sent, in seconds.
    Latency,
    /// First token − sent.
    Ttft,
    /// Intervals between frames that carried output, pooled over requests.
    Itl,
    /// The baseline's time per token.
    Tpot,
    /// The time per token that knows frames of several tokens.
    TimePerToken,
    /// Tokens of the prompt.
    InputTokens,
    /// Tokens generated.
    OutputTokens,
    /// Input ÷ latency, of requests that ask for no output.
    InputTps,
    /// Output ÷ latency.
    OutputTps,
    /// (Input + output) ÷ latency.
    TotalTps,
    /// 1 ÷ TPOT.
    DecodeTps,
    /// TTFT without the reasoning before the answer.
    FirstAnswer,
    /// TTFT of the first turns of conversations; only where there are later ones.
    FirstTurnTtft,
    /// TTFT of the turns after the first.
    LaterTurnTtft,
    /// TTFT from the moment the request was due.
    TtftFromDue,
    /// Latency from the moment the request was due, in seconds.
    LatencyFromDue,
    /// Latency ÷ output tokens.
    NormalizedLatency,
}

impl Metric {
    /// Every metric, in the order of the percentile table: the baseline's columns first.
    pub const ALL: [Metric; 17] = [
        Metric::Latency,
        Metric::Ttft,
        Metric::Itl,
        Metric::Tpot,
        Metric::InputTokens,
        Metric::OutputTokens,
        Metric::InputTps,
        Metric::OutputTps,
        Metric::TotalTps,
        Metric::DecodeTps,
        Metric::TimePerToken,
        Metric::FirstAnswer,
        Metric::FirstTurnTtft,
        Metric::LaterTurnTtft,
        Metric::TtftFromDue,
        Metric::LatencyFromDue,
        Metric::NormalizedLatency,
    ];

    /// The name in tables and files, with its unit.
    pub fn label(self) -> &'static str {
        match self {
            Metric::Latency => "Latency (s)",
            Metric::Ttft => "TTFT (ms)",
            Metric::Itl => "ITL (ms)",
            Metric::Tpot => "TPOT (ms)",
            Metric::TimePerToken => "Time per token (ms)",
            Metric::InputTokens => "Input tokens",
            Metric::OutputTokens => "Output tokens",
            Metric::InputTps => "Input (tok/s)",
            Metric::OutputTps => "Output (tok/s)",
            Metric::TotalTps => "Total (tok/s)",
            Metric::DecodeTps => "Decode (tok/s)",
            Metric::FirstAnswer => "First answer (ms)",
            Metric::FirstTurnTtft => "First-turn TTFT (ms)",
            Metric::LaterTurnTtft => "Later-turn TTFT (ms)",
            Metric::TtftFromDue => "TTFT from due (ms)",
            Metric::LatencyFromDue => "Latency from due (s)",
            Metric::NormalizedLatency => "Latency per token (ms)",
        }
    }

    /// Decimals in tables.
    pub fn decimals(self) -> usize {
        match self {
            Metric::Latency | Metric::LatencyFromDue => 4,
            Metric::InputTokens | Metric::OutputTokens => 1,
            _ => 2,
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// The mean of values that nothing else is asked of.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn push(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

impl StageAccumulator {
    /// An accumulator without records; what is too much for memory goes into files without names
    /// in the stage's folder.
    pub fn new(stage: &StageHeader) -> StageAccumulator {
        let folder = &stage.folder;
        StageAccumulator {
            total: 0,
            succeeded: 0,
            goodput: stage.goodput.clone(),
            good: 0,
            failures: BTreeMap::new(),
            first_start: None,
            last_completed: None,
            sources: [0; 3],
            turns: Mean::default(),
            several_turns: false,
            cached_tokens: 0,
            input_of_cached: 0,
            cached_known: false,
            decoded_per_iter: Mean::default(),
            metrics: Metric::ALL.iter().map(|_| Samples::new(folder)).collect(),
        }
    }

    /// Takes a record into account.
    pub fn push(&mut self, record: &RequestRecord) {
        if record.key.warmup {
            return;
        }
        self.total += 1;
        let start = record.sent.unwrap_or(record.due);
        self.first_start = Some(self.first_start.map_or(start, |first| first.min(start)));
        self.last_completed =
            Some(self.last_completed.map_or(record.completed, |last| last.max(record.completed)));
        if let Some(failure) = &record.failure {
            let count = self
                .failures
                .entry(failure.kind)
                .or_insert_with(|| FailureCount { count: 0, example: failure.message.clone() });
            count.count += 1;
            return;
        }
        self.succeeded += 1;
        self.good += u64::from(self.goodput.iter().all(|target| target.is_met_by(record)));
        self.count_tokens(record);
        self.turns.push(f64::from(record.key.input_turns));
        self.several_turns |= record.key.input_turns > 1;
        if let Some(tokens) = record.decoded_tokens_per_iter().filter(|&tokens| tokens > 1.0) {
            self.decoded_per_iter.push(tokens);
        }
        for metric in Metric::ALL {
            let samples = &mut self.metrics[metric.index()];
            match metric {
                Metric::Itl => samples.extend(&record.itl_ms),
                _ => samples.push(value_of(record, metric)),
            }
        }
    }

    fn count_tokens(&mut self, record: &RequestRecord) {
        if let Some(source) = record.tokens.source {
            self.sources[match source {
                TokenSource::Server => 0,
                TokenSource::Tokenizer => 1,
                TokenSource::Mixed => 2,
            }] += 1;
        }
        if let (Some(cached), Some(input)) = (record.tokens.cached, record.tokens.input) {
            self.cached_known = true;
            self.cached_tokens += cached;
            self.input_of_cached += input;
        }
    }

    /// The stage's figures. It fails if values that went into a file could not be written or read.
    pub fn finish(self, stage: &StageHeader, health: Option<ClientHealth>) -> io::Result<StageSummary> {
        let duration_s = match (self.first_start, self.last_completed) {
            (Some(first), Some(last)) => Some((last - first).as_s()).filter(|&duration| duration > 0.0),
            _ => None,
        };
        let quantiles: Vec<f64> = PERCENTILES.iter().filter_map(|percentile| percentile.quantile()).collect();
        let mut distributions = self
            .metrics
            .into_iter()
            .map(|samples| samples.distribution(&quantiles))
            .collect::<io::Result<Vec<Option<Distribution>>>>()?;
        if distributions[Metric::LaterTurnTtft.index()].is_none() {
            distributions[Metric::FirstTurnTtft.index()] = None;
        }
        let cache_hit_percent = (self.cached_known && self.input_of_cached > 0)
            .then(|| self.cached_tokens as f64 / self.input_of_cached as f64 * 100.0);
        Ok(StageSummary {
            stage: stage.clone(),
            duration_s,
            total: self.total,
            succeeded: self.succeeded,
            good: (!self.goodput.is_empty()).then_some(self.good),
            failures: self.failures,
            token_sources: token_sources(self.sources, self.succeeded),
            input_turns: self.turns.value().filter(|_| self.several_turns),
            cache_hit_percent,
            decoded_tokens_per_iter: self.decoded_per_iter.value(),
            distributions,
            health,
        })
    }
}

/// The value of a metric that each request has one of.
fn value_of(record: &RequestRecord, metric: Metric) -> Option<f64> {
    let tokens = |count: Option<u64>| count.map(|count| count as f64);
    match metric {
        Metric::Latency => record.latency_ms.map(|ms| ms / 1e3),
        Metric::Ttft => record.ttft_ms,
        Metric::Itl => None,
        Metric::Tpot => record.tpot_ms,
        Metric::TimePerToken => record.time_per_token_ms,
        Metric::InputTokens => tokens(record.tokens.input),
        Metric::OutputTokens => tokens(record.tokens.output),
        Metric::InputTps => record.input_tps(),
        Metric::OutputTps => record.output_tps(),
        Metric::TotalTps => record.total_tps(),
        Metric::DecodeTps => record.decode_tps(),
        Metric::FirstAnswer => record.first_answer_ms(),
        Metric::FirstTurnTtft => record.ttft_ms.filter(|_| record.key.turn == 0),
        Metric::LaterTurnTtft => record.ttft_ms.filter(|_| record.key.turn > 0),
        Metric::TtftFromDue => record.ttft_from_due_ms(),
        Metric::LatencyFromDue => record.latency_from_due_ms().map(|ms| ms / 1e3),
        Metric::NormalizedLatency => record.normalized_latency_ms(),
    }
}

/// Where the counts of a stage come from, in words; `None` if every one is the server's.
fn token_sources([server, tokenizer, mixed]: [u64; 3], succeeded: u64) -> Option<String> {
    let uncounted = succeeded.saturating_sub(server + tokenizer + mixed);
    if succeeded == 0 || server == succeeded {
        return None;
    }
    let mut parts = Vec::new();
    for (count, what) in [
        (server, "by the server"),
        (tokenizer, "by the tokenizer"),
        (mixed, "by the server and the tokenizer"),
        (uncounted, "by nobody: the server reports no usage, give --tokenizer-path"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    Some(format!("tokens of {succeeded} requests were counted: {}", parts.join(", ")))
}
