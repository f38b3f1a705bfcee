//! The figures of a stage, and the names and order in which everything shows them.

use std::collections::BTreeMap;

use super::{ConversationCounts, Distribution, FailureCount, Metric};
use crate::contract::FailureKind;
use crate::record::{ClientHealth, StageHeader};

/// A row of the percentile table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Percentile {
    /// The smallest value.
    Min,
    /// The percentile at this percentage.
    At(f64),
    /// The largest value.
    Max,
    /// The arithmetic mean.
    Mean,
}

/// The rows of the percentile table, in order.
pub const PERCENTILES: [Percentile; 13] = [
    Percentile::Min,
    Percentile::At(1.0),
    Percentile::At(5.0),
    Percentile::At(10.0),
    Percentile::At(25.0),
    Percentile::At(50.0),
    Percentile::At(75.0),
    Percentile::At(90.0),
    Percentile::At(95.0),
    Percentile::At(99.0),
    Percentile::At(99.9),
    Percentile::Max,
    Percentile::Mean,
];

impl Percentile {
    /// The name in tables and files: `min`, `99.9%`, `mean`.
    pub fn label(self) -> String {
        match self {
            Percentile::Min => "min".to_string(),
            Percentile::At(percent) => format!("{percent}%"),
            Percentile::Max => "max".to_string(),
            Percentile::Mean => "mean".to_string(),
        }
    }

    /// The quantile that this row shows, from 0 to 1; `None` for the mean, which is none.
    pub fn quantile(self) -> Option<f64> {
        match self {
            Percentile::Min => Some(0.0),
            Percentile::At(percent) => Some(percent / 100.0),
            Percentile::Max => Some(1.0),
            Percentile::Mean => None,
        }
    }

    /// The figure of `distribution` that this row shows.
    pub fn of(self, distribution: &Distribution) -> f64 {
        self.quantile().map_or_else(|| distribution.mean(), |q| distribution.quantile(q))
    }
}

/// A part of the summary table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Duration, load, counts.
    General,
    /// Times.
    Latency,
    /// Tokens and their rates.
    Tokens,
    /// Conversations and the prefix cache.
    Conversations,
    /// Several tokens in a step.
    SpeculativeDecoding,
}

impl Section {
    /// The heading in the table.
    pub fn label(self) -> &'static str {
        match self {
            Section::General => "General",
            Section::Latency => "Latency",
            Section::Tokens => "Tokens",
            Section::Conversations => "Conversations",
            Section::SpeculativeDecoding => "Speculative Decoding",
        }
    }
}

/// One figure of the summary table.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Where it stands.
    pub section: Section,
    /// Its name, with its unit.
    pub name: &'static str,
    /// Its value; never one that was not measured.
    pub value: f64,
    /// Decimals in tables.
    pub decimals: usize,
}

/// The figures of a stage. What was not measured is `None`, or not in the list.
#[derive(Debug, Clone, PartialEq)]
pub struct StageSummary {
    /// Which stage it is.
    pub stage: StageHeader,
    /// Completion of the last request − start of the first, in seconds.
    pub duration_s: Option<f64>,
    /// Requests made, warm-up excluded.
    pub total: u64,
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that met every goodput target; `None` if there is none.
    pub good: Option<u64>,
    /// Those that met them from the moment they were due.
    pub good_from_due: Option<u64>,
    /// Those that failed, by kind.
    pub failures: BTreeMap<FailureKind, FailureCount>,
    /// Where token counts come from, if not all from the server.
    pub token_sources: Option<String>,
    /// Mean number of user turns in a request's context; only where there are several.
    pub input_turns: Option<f64>,
    /// Conversations; `None` if there were none.
    pub conversations: Option<ConversationCounts>,
    /// Σ cached ÷ Σ input tokens × 100, over requests whose cached tokens the server reports.
    pub cache_hit_percent: Option<f64>,
    /// The same over all turns of conversations, with estimates where the server is silent; `None`
    /// where it never is.
    pub estimated_cache_hit_percent: Option<f64>,
    /// Mean of (output tokens − 1) ÷ (output frames − 1) over requests where it is above 1.
    pub decoded_tokens_per_iter: Option<f64>,
    /// The distribution of each metric, in the order of [`Metric::ALL`]'s discriminants.
    pub(super) distributions: Vec<Option<Distribution>>,
    /// The client's own state during the stage.
    pub health: Option<ClientHealth>,
}

impl StageSummary {
    /// The values of a metric; `None` if it was never measured.
    pub fn distribution(&self, metric: Metric) -> Option<&Distribution> {
        self.distributions.get(metric.index())?.as_ref()
    }

    /// Requests that failed.
    pub fn failed(&self) -> u64 {
        self.total - self.succeeded
    }

    /// Successful requests ÷ duration.
    pub fn request_throughput_rps(&self) -> Option<f64> {
        Some(self.succeeded as f64 / self.duration_s?)
    }

    /// Requests that met every goodput target ÷ duration.
    pub fn goodput_rps(&self) -> Option<f64> {
        Some(self.good? as f64 / self.duration_s?)
    }

    /// The share of all requests that met every goodput target, in percent.
    pub fn good_percent(&self) -> Option<f64> {
        let good = self.good?;
        (self.total > 0).then(|| good as f64 / self.total as f64 * 100.0)
    }

    /// Output tokens ÷ duration; `None` if no output was counted.
    pub fn output_throughput_tps(&self) -> Option<f64> {
        Some(self.output_tokens()? / self.duration_s?)
    }

    /// Output tokens of all successful requests.
    pub fn output_tokens(&self) -> Option<f64> {
        Some(self.distribution(Metric::OutputTokens)?.sum())
    }

    /// Input tokens ÷ duration, of a stage that has no output tokens: one of embeddings or ranks.
    pub fn input_throughput_tps(&self) -> Option<f64> {
        match self.output_tokens() {
            None => Some(self.distribution(Metric::InputTokens)?.sum() / self.duration_s?),
            Some(_) => None,
        }
    }

    /// (Input + output tokens) ÷ duration; `None` unless both were counted.
    pub fn total_throughput_tps(&self) -> Option<f64> {
        let input = self.distribution(Metric::InputTokens)?.sum();
        Some((input + self.output_tokens()?) / self.duration_s?)
    }

    /// The share of successful requests, in percent.
    pub fn success_percent(&self) -> Option<f64> {
        (self.total > 0).then(|| self.succeeded as f64 / self.total as f64 * 100.0)
    }

    /// 1 − 1 ÷ (decoded tokens per iteration), in percent.
    pub fn spec_decode_acceptance_percent(&self) -> Option<f64> {
        self.decoded_tokens_per_iter.map(|tokens| (1.0 - 1.0 / tokens) * 100.0)
    }

    /// Every figure that was measured, in the order of the table. The counts of requests and the
    /// asked load are not among them: they have columns and rows of their own.
    pub fn figures(&self) -> Vec<Figure> {
        let mean = |metric| self.distribution(metric).map(Distribution::mean);
        let acceptance = self.spec_decode_acceptance_percent();
        let goodput_from_due_rps =
            self.good_from_due.zip(self.duration_s).map(|(good, duration_s)| good as f64 / duration_s);
        let conversations =
            |of: fn(ConversationCounts) -> u64| self.conversations.map(|counts| of(counts) as f64);
        let unfinished = conversations(|counts| counts.unfinished).filter(|&count| count > 0.0);
        let rows = [
            (Section::General, "Test Duration (s)", self.duration_s, 4),
            (Section::General, "Req Throughput (req/s)", self.request_throughput_rps(), 4),
            (Section::General, "Goodput (req/s)", self.goodput_rps(), 4),
            (Section::General, "Goodput from due (req/s)", goodput_from_due_rps, 4),
            (Section::General, "Good Requests (%)", self.good_percent(), 2),
            (Section::Latency, "Avg Latency (s)", mean(Metric::Latency), 4),
            (Section::Latency, "TTFT (ms)", mean(Metric::Ttft), 2),
            (Section::Latency, "TPOT (ms)", mean(Metric::Tpot), 2),
            (Section::Latency, "ITL (ms)", mean(Metric::Itl), 2),
            (Section::Latency, "Time per token (ms)", mean(Metric::TimePerToken), 2),
            (Section::Tokens, "Avg Input Tokens", mean(Metric::InputTokens), 2),
            (Section::Tokens, "Avg Output Tokens", mean(Metric::OutputTokens), 2),
            (Section::Tokens, "Input Throughput (tok/s)", self.input_throughput_tps(), 2),
            (Section::Tokens, "Output Throughput (tok/s)", self.output_throughput_tps(), 2),
            (Section::Tokens, "Total Throughput (tok/s)", self.total_throughput_tps(), 2),
            (Section::Conversations, "Conversations", conversations(|counts| counts.finished), 0),
            (Section::Conversations, "Unfinished Conversations", unfinished, 0),
            (Section::Conversations, "Avg Turns per Conversation", mean(Metric::ConversationTurns), 2),
            (Section::Conversations, "Conversation Latency (s)", mean(Metric::ConversationLatency), 4),
            (Section::Conversations, "Time to Final Answer (s)", mean(Metric::FinalAnswer), 4),
            (Section::Conversations, "Avg Input Turns", self.input_turns, 2),
            (Section::Conversations, "First-turn TTFT (ms)", mean(Metric::FirstTurnTtft), 2),
            (Section::Conversations, "Later-turn TTFT (ms)", mean(Metric::LaterTurnTtft), 2),
            (Section::Conversations, "KV Cache Hit Rate (%)", self.cache_hit_percent, 2),
            (Section::Conversations, "KV Cache Hit Rate, estimated (%)", self.estimated_cache_hit_percent, 2),
            (Section::SpeculativeDecoding, "Avg Decoded Tokens/Iter", self.decoded_tokens_per_iter, 2),
            (Section::SpeculativeDecoding, "Spec Decode Acceptance (%)", acceptance, 2),
        ];
        rows.into_iter()
            .filter_map(|(section, name, value, decimals)| {
                value.map(|value| Figure { section, name, value, decimals })
            })
            .collect()
    }
}
