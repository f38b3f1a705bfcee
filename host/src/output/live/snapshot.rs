//! A picture of a run at one moment. Its fields are what `--progress-file` writes, under these names;
//! `docs/live.md` documents them.

use std::collections::BTreeMap;

use serde::Serialize;

/// A run at one moment. What is not known yet is absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Snapshot {
    /// The run.
    pub run_id: String,
    /// Since the start of the run, in seconds.
    pub elapsed_s: f64,
    /// How many stages there will be; absent while a search decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stages: Option<usize>,
    /// The stage that is running, or the last one that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageProgress>,
    /// The client itself.
    pub client: ClientProgress,
}

/// What a stage is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its warm-up requests are made.
    #[default]
    Warmup,
    /// It is measured.
    Measuring,
    /// It is over.
    Finished,
}

/// A stage at one moment. Warm-up requests are in no figure but `warmup_settled` and `in_flight`;
/// failed ones are in the counts alone.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct StageProgress {
    /// Its name.
    pub name: String,
    /// Its position, from 0.
    pub index: usize,
    /// Requests in flight at a time in a closed loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel: Option<u32>,
    /// Asked arrivals in requests per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_rps: Option<f64>,
    /// Requests to make, or conversations with `--multi-turn`.
    pub number: u64,
    /// What it is about.
    pub phase: Phase,
    /// Since its first measured request was sent, in seconds; in the warm-up since that began.
    pub elapsed_s: f64,
    /// How much of it is done, from 0 to 1: by number or by `--duration`, whichever is further.
    pub done_ratio: f64,
    /// How much longer it will take at the pace so far, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta_s: Option<f64>,
    /// Warm-up requests that are over.
    pub warmup_settled: u64,
    /// Requests that are over.
    pub settled: u64,
    /// Those of them that succeeded.
    pub succeeded: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// The failed ones by kind, as `error_kind` in the records names them.
    pub errors: BTreeMap<&'static str, u64>,
    /// Requests on their way now.
    pub in_flight: u64,
    /// Successes ÷ elapsed, in requests per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_rps: Option<f64>,
    /// Input tokens of the successes so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Output tokens of the successes so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Output tokens ÷ elapsed, in tokens per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tps: Option<f64>,
    /// Input and output tokens ÷ elapsed, in tokens per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_tps: Option<f64>,
    /// Completed − sent, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Spread>,
    /// First token − sent, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<Spread>,
    /// Time per output token, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tpot_ms: Option<Spread>,
    /// Between frames that carried output, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub itl_ms: Option<Spread>,
}

/// A distribution so far. Percentiles are to three digits; the exact ones come from the records.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// How many values.
    pub count: u64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

/// The client at one moment, looked at once a second.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct ClientProgress {
    /// CPU of the whole process, in percent of one core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    /// The latest that an event loop ran a timer, in milliseconds: how late a read may have been.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loop_lag_ms: Option<f64>,
}
