//! What happens in a run, told in the past tense. The engine emits these; progress, records,
//! summaries and reports are consumers of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use serde::{Deserialize, Serialize};

use super::{GoodputTarget, KeptReply, RequestRecord};
use crate::units::Nanos;

/// What is known of a run before its first request. It holds no secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunHeader {
    /// Unique for each run.
    pub run_id: String,
    /// The version of tickrate.
    pub tickrate_version: String,
    /// Wall-clock start, RFC 3339 with its offset.
    pub started_at: String,
    /// The run's time zero on the system's monotonic clock, in nanoseconds.
    pub clock_origin_ns: i64,
    /// The whole resolved configuration.
    pub config: serde_json::Value,
    /// The WASM components in use.
    pub plugins: Vec<PluginIdentity>,
}

/// Which component was used, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginIdentity {
    /// `api` or `dataset`.
    pub role: String,
    /// The name that the component gives itself.
    pub name: String,
    /// The version that the component gives itself.
    pub version: String,
    /// SHA-256 of the component's bytes, in hexadecimal.
    pub sha256: String,
}

/// What is known of a stage before its first request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageHeader {
    /// Position in the run, from 0.
    pub index: usize,
    /// Folder and name: `parallel_10_number_20`.
    pub name: String,
    /// The most requests in flight at a time; `None` for an open loop.
    pub parallel: Option<u32>,
    /// Asked arrivals in requests per second; `None` if they are not paced.
    pub rate_rps: Option<f64>,
    /// Requests to make, warm-up excluded.
    pub number: u64,
    /// Warm-up requests to make before them.
    pub warmup: u64,
    /// What makes a request a good one; empty if nobody asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goodput: Vec<GoodputTarget>,
    /// Whether it is of conversations, so that one of a single turn is one as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub conversations: bool,
    /// The stage's own folder.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// The middle and the tail of something that the client measured of itself, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LagSummary {
    /// The median.
    pub p50_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The largest.
    pub max_ms: f64,
}

/// How far the client itself may have disturbed what it measured in a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientHealth {
    /// Sent minus due, over all requests that were sent.
    pub dispatch_lag: Option<LagSummary>,
    /// How late the workers' event loops ran a timer: the delay that any read may have seen.
    pub loop_lag: Option<LagSummary>,
    /// How much later than the kernel's stamp of a packet its read returned, over all reads of
    /// `--clock kernel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp_lag: Option<LagSummary>,
    /// CPU used by the whole process over the stage, in percent of one core.
    pub cpu_percent: Option<f64>,
    /// CPU used by the busiest worker thread over the stage, in percent of one core.
    pub worker_cpu_percent: Option<f64>,
    /// Requests that were due before the dataset or the shaping had them ready.
    pub starved: u64,
    /// Time that send slots spent waiting for such requests, summed over the slots, in milliseconds.
    pub starved_ms: f64,
    /// How far times in the records can be trusted, in milliseconds either way.
    pub trust_ms: Option<f64>,
    /// Whether the client was the limit of what was measured.
    pub client_limited: bool,
    /// The same in words.
    pub verdict: String,
}

/// Why a stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// All requests were made.
    Count,
    /// The duration was over.
    Duration,
    /// The user asked it to stop; what was in flight was finished.
    Interrupted,
    /// The user insisted; what was in flight was given up.
    Aborted,
    /// The dataset or the engine failed in the middle.
    Failed,
}

/// What is known of a stage after its last record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageEnd {
    /// When the measured part began, on the run's clock.
    pub started_ns: i64,
    /// When the last exchange was over, on the run's clock.
    pub finished_ns: i64,
    /// Why it ended.
    pub reason: StopReason,
    /// Requests that were settled, warm-up excluded.
    pub settled: u64,
    /// Those of them that succeeded.
    pub succeeded: u64,
    /// What the client knows of its own influence.
    pub health: ClientHealth,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The run is set up and about to begin.
    RunStarted(Arc<RunHeader>),
    /// A stage is about to send its first request.
    StageStarted(Arc<StageHeader>),
    /// A request is over, well or badly, and its record is final.
    RequestSettled(Box<RequestRecord>),
    /// A reply is to be kept, for those who want to parse it again. The record of its request
    /// follows, not always at once.
    ReplyKept(Box<KeptReply>),
    /// All records of the stage have been told.
    StageFinished(Arc<StageHeader>, Box<StageEnd>),
    /// Something that the user should read, and that is not a record.
    Warned(String),
    /// The last stage is over.
    RunFinished,
}

/// Where events go: a bounded queue to the outputs. Cloned freely.
#[derive(Debug, Clone)]
pub struct EventSender {
    queue: SyncSender<Event>,
    told: Arc<AtomicU64>,
}

impl EventSender {
    /// A sender into `queue`.
    pub fn new(queue: SyncSender<Event>) -> EventSender {
        EventSender { queue, told: Arc::default() }
    }

    /// How many events have been told so far, by this sender and its clones.
    pub fn told(&self) -> Arc<AtomicU64> {
        self.told.clone()
    }

    /// Tells `event`; waits while the outputs are behind. It must not be called on a worker's
    /// thread. Once the outputs are gone there is nobody left to tell, and it does nothing.
    pub fn emit(&self, event: Event) {
        self.told.fetch_add(1, Ordering::Release);
        let _ = self.queue.send(event);
    }
}

impl StageHeader {
    /// The stage's load as a table names it: `10` for a concurrency, `INF` where it has no bound.
    pub fn parallel_label(&self) -> String {
        self.parallel.map_or_else(|| "INF".to_string(), |parallel| parallel.to_string())
    }

    /// The stage's asked rate as a table names it: `INF` where arrivals are not paced.
    pub fn rate_label(&self) -> String {
        self.rate_rps.map_or_else(|| "INF".to_string(), |rate| crate::units::decimal(rate, 4))
    }
}

impl StageEnd {
    /// How long the stage took from its first request to its last answer.
    pub fn elapsed(&self) -> Nanos {
        Nanos(self.finished_ns - self.started_ns)
    }
}
