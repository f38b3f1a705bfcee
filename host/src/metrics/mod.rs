//! Records → the figures of a stage. Formulas that concern one request are in [`crate::record`];
//! here they are only put together. Warm-up requests are left out of everything, failed ones of
//! everything but the counts and the duration.

mod bins;
mod conversations;
mod criterion;
mod difference;
pub mod evalscope;
mod knee;
mod metric;
mod profile;
mod quantity;
mod resample;
mod samples;
mod select;
mod summary;
mod turns;

use std::collections::BTreeMap;
use std::io;

pub use bins::{Bars, Cells};
pub use conversations::ConversationCounts;
pub use criterion::{Criterion, CriterionError, Goal};
pub use difference::{Difference, Finding, differences};
pub use knee::{knee, load};
pub use metric::Metric;
pub use profile::{Course, Drawn, Profile, ProfileAccumulator};
pub use quantity::{Better, Quantity, SINGLES, Single, Unit};
pub use resample::{CONFIDENCE, Interval, RESAMPLES, RequestSample};
pub use samples::{Distribution, Samples};
pub use summary::{Figure, PERCENTILES, Percentile, Section, StageSummary};
pub use turns::{ConversationView, SlowConversation, Span, TurnFigures};

use self::conversations::Conversations;
use crate::contract::FailureKind;
use crate::record::{
    CachedSource, ClientHealth, ConversationFigures, GoodputTarget, RequestRecord, StageHeader, TokenSource,
};
use crate::units::Nanos;

/// Collects the records of one stage. Its memory does not grow with the number of records, but for
/// conversations that are not finished.
#[derive(Debug)]
pub struct StageAccumulator {
    total: u64,
    succeeded: u64,
    goodput: Vec<GoodputTarget>,
    good: u64,
    good_from_due: u64,
    failures: BTreeMap<FailureKind, FailureCount>,
    first_start: Option<Nanos>,
    last_completed: Option<Nanos>,
    sources: [u64; 3],
    turns: Mean,
    several_turns: bool,
    conversations: Conversations,
    reported_cache: CacheUse,
    cache: CacheUse,
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

/// How much of the prompts came from the prefix cache.
#[derive(Debug, Clone, Copy, Default)]
struct CacheUse {
    requests: u64,
    cached: u64,
    input: u64,
}

impl CacheUse {
    fn count(&mut self, cached: u64, input: u64) {
        self.requests += 1;
        self.cached += cached;
        self.input += input;
    }

    fn hit_percent(self) -> Option<f64> {
        (self.input > 0).then(|| self.cached as f64 / self.input as f64 * 100.0)
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
            good_from_due: 0,
            failures: BTreeMap::new(),
            first_start: None,
            last_completed: None,
            sources: [0; 3],
            turns: Mean::default(),
            several_turns: false,
            conversations: Conversations::new(stage.conversations),
            reported_cache: CacheUse::default(),
            cache: CacheUse::default(),
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
        if let Some(figures) = self.conversations.push(record) {
            self.push_conversation(&figures);
        }
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
        self.good_from_due += u64::from(self.goodput.iter().all(|target| target.is_met_from_due_by(record)));
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
                _ if metric.is_of_conversations() => {}
                _ => samples.push(metric.of(record)),
            }
        }
    }

    fn push_conversation(&mut self, figures: &ConversationFigures) {
        for (metric, value) in [
            (Metric::ConversationLatency, Some(figures.latency_s)),
            (Metric::FinalAnswer, figures.final_answer_s),
            (Metric::ConversationTurns, Some(f64::from(figures.turns))),
            (Metric::ConversationDecodeTps, figures.decode_tps),
            (Metric::ConversationCacheHit, figures.cached_percent),
            (Metric::EligibleCacheHit, figures.eligible_cached_percent),
        ] {
            self.metrics[metric.index()].push(value);
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
            self.cache.count(cached, input);
            if record.tokens.cached_source == Some(CachedSource::Server) {
                self.reported_cache.count(cached, input);
            }
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
        // Where some of the counts are estimates, what they come to together is one too.
        let estimated = self.cache.requests > self.reported_cache.requests;
        Ok(StageSummary {
            stage: stage.clone(),
            duration_s,
            total: self.total,
            succeeded: self.succeeded,
            good: (!self.goodput.is_empty()).then_some(self.good),
            good_from_due: (!self.goodput.is_empty()).then_some(self.good_from_due),
            failures: self.failures,
            token_sources: token_sources(self.sources, self.succeeded),
            input_turns: self.turns.value().filter(|_| self.several_turns),
            conversations: self.conversations.counts(),
            cache_hit_percent: self.reported_cache.hit_percent(),
            estimated_cache_hit_percent: self.cache.hit_percent().filter(|_| estimated),
            decoded_tokens_per_iter: self.decoded_per_iter.value(),
            distributions,
            health,
        })
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
