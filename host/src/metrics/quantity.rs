//! Every figure of a stage by a name that fits into an expression: `p99_ttft`, `error_rate`.
//! Gates, promises, comparisons and error bars all mean the same figure by the same name.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{Distribution, Metric, PERCENTILES, Percentile, StageSummary};
use crate::contract::FailureKind;
use crate::units::decimal;

/// The unit that a figure is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Ms,
    /// Percent.
    Percent,
    /// Requests per second.
    ReqPerS,
    /// Tokens per second.
    TokPerS,
    /// Tokens.
    Tokens,
    /// A number of things.
    Count,
}

/// Which way a figure gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Less is better, as with times.
    Lower,
    /// More is better, as with throughput.
    Higher,
    /// It describes the load, not the server.
    Neither,
}

/// A figure of a stage, by name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantity {
    /// A figure of the distribution of a metric.
    Of(Metric, Percentile),
    /// A figure that a stage has one of.
    Single(&'static Single),
    /// The share of requests that failed in one way, in percent.
    ErrorRate(FailureKind),
}

/// A figure that a stage has one of.
pub struct Single {
    /// Its name.
    pub name: &'static str,
    /// A shorter name, or the same.
    alias: &'static str,
    unit: Unit,
    better: Better,
    of: fn(&StageSummary) -> Option<f64>,
}

const fn single(
    name: &'static str,
    alias: &'static str,
    unit: Unit,
    better: Better,
    of: fn(&StageSummary) -> Option<f64>,
) -> Single {
    Single { name, alias, unit, better, of }
}

/// All of them, in the order that tables and helps show them.
pub static SINGLES: [Single; 28] = {
    use Better::{Higher, Lower, Neither};
    use Unit::{Count, Ms, Percent, ReqPerS, TokPerS};
    [
        single("request_throughput", "rps", ReqPerS, Higher, StageSummary::request_throughput_rps),
        single("output_throughput", "tps", TokPerS, Higher, StageSummary::output_throughput_tps),
        single("total_throughput", "total_throughput", TokPerS, Higher, StageSummary::total_throughput_tps),
        single("input_throughput", "input_throughput", TokPerS, Higher, StageSummary::input_throughput_tps),
        single("goodput", "goodput", ReqPerS, Higher, StageSummary::goodput_rps),
        single("good_rate", "good_rate", Percent, Higher, StageSummary::good_percent),
        single("success_rate", "success_rate", Percent, Higher, StageSummary::success_percent),
        single("error_rate", "error_rate", Percent, Lower, |s| {
            s.success_percent().map(|percent| 100.0 - percent)
        }),
        single("total_requests", "total_requests", Count, Neither, |s| Some(s.total as f64)),
        single("success_requests", "success_requests", Count, Neither, |s| Some(s.succeeded as f64)),
        single("failed_requests", "failed_requests", Count, Lower, |s| Some(s.failed() as f64)),
        single("duration", "duration", Ms, Neither, |s| s.duration_s.map(|s| s * 1e3)),
        single("avg_input_turns", "avg_input_turns", Count, Neither, |s| s.input_turns),
        single("cache_hit_rate", "cache_hit_rate", Percent, Higher, |s| s.cache_hit_percent),
        single("estimated_cache_hit_rate", "estimated_cache_hit_rate", Percent, Higher, |s| {
            s.estimated_cache_hit_percent
        }),
        single("conversations", "conversations", Count, Neither, |s| Some(s.conversations?.finished as f64)),
        single("unfinished_conversations", "unfinished_conversations", Count, Lower, |s| {
            Some(s.conversations?.unfinished as f64)
        }),
        single("decoded_tokens_per_iter", "decoded_tokens_per_iter", Count, Higher, |s| {
            s.decoded_tokens_per_iter
        }),
        single("spec_decode_acceptance", "spec_decode_acceptance", Percent, Higher, |s| {
            s.spec_decode_acceptance_percent()
        }),
        single("trust", "trust", Ms, Lower, |s| s.health.as_ref()?.trust_ms),
        single("p50_dispatch_lag", "p50_dispatch_lag", Ms, Lower, |s| {
            s.health.as_ref()?.dispatch_lag.map(|lag| lag.p50_ms)
        }),
        single("p99_dispatch_lag", "p99_dispatch_lag", Ms, Lower, |s| {
            s.health.as_ref()?.dispatch_lag.map(|lag| lag.p99_ms)
        }),
        single("max_dispatch_lag", "max_dispatch_lag", Ms, Lower, |s| {
            s.health.as_ref()?.dispatch_lag.map(|lag| lag.max_ms)
        }),
        single("p99_loop_lag", "p99_loop_lag", Ms, Lower, |s| {
            s.health.as_ref()?.loop_lag.map(|lag| lag.p99_ms)
        }),
        single("max_loop_lag", "max_loop_lag", Ms, Lower, |s| {
            s.health.as_ref()?.loop_lag.map(|lag| lag.max_ms)
        }),
        single("client_cpu", "client_cpu", Percent, Lower, |s| s.health.as_ref()?.cpu_percent),
        single("worker_cpu", "worker_cpu", Percent, Lower, |s| s.health.as_ref()?.worker_cpu_percent),
        single("starved_requests", "starved_requests", Count, Lower, |s| {
            s.health.as_ref().map(|health| health.starved as f64)
        }),
    ]
};

impl fmt::Debug for Single {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Single {
    fn eq(&self, other: &Single) -> bool {
        self.name == other.name
    }
}

impl Metric {
    /// The name in expressions: `ttft` of `p99_ttft`.
    pub fn word(self) -> &'static str {
        match self {
            Metric::Latency => "latency",
            Metric::Ttft => "ttft",
            Metric::Itl => "itl",
            Metric::Tpot => "tpot",
            Metric::TimePerToken => "time_per_token",
            Metric::InputTokens => "input_tokens",
            Metric::OutputTokens => "output_tokens",
            Metric::InputTps => "input_tps",
            Metric::OutputTps => "output_tps",
            Metric::TotalTps => "total_tps",
            Metric::DecodeTps => "decode_tps",
            Metric::FirstAnswer => "first_answer",
            Metric::FirstTurnTtft => "first_turn_ttft",
            Metric::LaterTurnTtft => "later_turn_ttft",
            Metric::TtftFromDue => "ttft_from_due",
            Metric::LatencyFromDue => "latency_from_due",
            Metric::NormalizedLatency => "latency_per_token",
            Metric::ConversationLatency => "conversation_latency",
            Metric::FinalAnswer => "final_answer",
            Metric::ConversationTurns => "conversation_turns",
            Metric::ConversationDecodeTps => "conversation_decode_tps",
            Metric::ConversationCacheHit => "conversation_cache_hit",
            Metric::EligibleCacheHit => "eligible_cache_hit",
        }
    }

    /// The unit of its figures in expressions, and which way they get better. Times are in
    /// milliseconds there, whatever a table shows.
    fn unit(self) -> (Unit, Better) {
        match self {
            Metric::InputTokens | Metric::OutputTokens => (Unit::Tokens, Better::Neither),
            Metric::InputTps
            | Metric::OutputTps
            | Metric::TotalTps
            | Metric::DecodeTps
            | Metric::ConversationDecodeTps => (Unit::TokPerS, Better::Higher),
            Metric::ConversationTurns => (Unit::Count, Better::Neither),
            Metric::ConversationCacheHit | Metric::EligibleCacheHit => (Unit::Percent, Better::Higher),
            _ => (Unit::Ms, Better::Lower),
        }
    }

    /// What one of its values in a table is multiplied by to be in that unit.
    fn factor(self) -> f64 {
        let in_seconds =
            [Metric::Latency, Metric::LatencyFromDue, Metric::ConversationLatency, Metric::FinalAnswer];
        if in_seconds.contains(&self) { 1e3 } else { 1.0 }
    }
}

impl Percentile {
    /// The name in expressions: `p99`, `p99.9`, `avg`, `min`, `max`.
    pub fn word(self) -> String {
        match self {
            Percentile::Min => "min".to_string(),
            Percentile::At(percent) => format!("p{percent}"),
            Percentile::Max => "max".to_string(),
            Percentile::Mean => "avg".to_string(),
        }
    }
}

impl Quantity {
    /// Every figure that there is.
    pub fn all() -> Vec<Quantity> {
        let singles = SINGLES.iter().map(Quantity::Single);
        let kinds = FailureKind::ALL.into_iter().map(Quantity::ErrorRate);
        let of = |metric| PERCENTILES.into_iter().map(move |percentile| Quantity::Of(metric, percentile));
        singles.chain(kinds).chain(Metric::ALL.into_iter().flat_map(of)).collect()
    }

    /// The figure that goes by `name`, or the names of those that are nearest to it.
    pub fn named(name: &str) -> Result<Quantity, Vec<String>> {
        if let Some(single) = SINGLES.iter().find(|single| single.name == name || single.alias == name) {
            return Ok(Quantity::Single(single));
        }
        let all = Quantity::all();
        if let Some(found) = all.iter().find(|quantity| quantity.name() == name) {
            return Ok(*found);
        }
        // A metric without a statistic could be any of them.
        if let Some(metric) = Metric::ALL.into_iter().find(|metric| metric.word() == name) {
            let likely = [Percentile::Mean, Percentile::At(50.0), Percentile::At(99.0)];
            return Err(likely.map(|percentile| Quantity::Of(metric, percentile).name()).to_vec());
        }
        let aliases = SINGLES.iter().map(|single| single.alias.to_string());
        let names = all.iter().map(|quantity| quantity.name()).chain(aliases);
        let mut near: Vec<(usize, String)> = names.map(|other| (distance(name, &other), other)).collect();
        near.sort();
        near.dedup();
        Err(near.into_iter().take(3).map(|(_, name)| name).collect())
    }

    /// The name.
    pub fn name(self) -> String {
        match self {
            Quantity::Of(metric, percentile) => format!("{}_{}", percentile.word(), metric.word()),
            Quantity::Single(single) => single.name.to_string(),
            Quantity::ErrorRate(kind) => format!("error_rate_{}", kind.name()),
        }
    }

    /// The unit that [`Quantity::of`] answers in.
    pub fn unit(self) -> Unit {
        match self {
            Quantity::Of(metric, _) => metric.unit().0,
            Quantity::Single(single) => single.unit,
            Quantity::ErrorRate(_) => Unit::Percent,
        }
    }

    /// Which way it gets better.
    pub fn better(self) -> Better {
        match self {
            Quantity::Of(metric, _) => metric.unit().1,
            Quantity::Single(single) => single.better,
            Quantity::ErrorRate(_) => Better::Lower,
        }
    }

    /// The figure of a stage; `None` where it was not measured.
    pub fn of(self, stage: &StageSummary) -> Option<f64> {
        match self {
            Quantity::Of(metric, percentile) => {
                let of = |distribution: &Distribution| percentile.of(distribution) * metric.factor();
                stage.distribution(metric).map(of)
            }
            Quantity::Single(single) => (single.of)(stage),
            Quantity::ErrorRate(kind) => {
                let count = stage.failures.get(&kind).map_or(0, |failures| failures.count);
                (stage.total > 0).then(|| count as f64 / stage.total as f64 * 100.0)
            }
        }
    }

    /// A value with its unit: `12.5 ms`.
    pub fn show(self, value: f64) -> String {
        let unit = self.unit();
        let text = decimal(value, unit.decimals());
        if unit.symbol().is_empty() { text } else { format!("{text} {}", unit.symbol()) }
    }
}

impl Unit {
    /// The unit as it is shown; empty for a count.
    pub fn symbol(self) -> &'static str {
        match self {
            Unit::Ms => "ms",
            Unit::Percent => "%",
            Unit::ReqPerS => "req/s",
            Unit::TokPerS => "tok/s",
            Unit::Tokens => "tokens",
            Unit::Count => "",
        }
    }

    /// How it can be written after a number, each with what the number is multiplied by.
    pub fn spellings(self) -> &'static [(&'static str, f64)] {
        match self {
            Unit::Ms => &[("ms", 1.0), ("us", 1e-3), ("µs", 1e-3), ("s", 1e3), ("min", 6e4)],
            Unit::Percent => &[("%", 1.0)],
            Unit::ReqPerS => &[("req/s", 1.0), ("rps", 1.0), ("", 1.0)],
            Unit::TokPerS => &[("tok/s", 1.0), ("tps", 1.0), ("", 1.0)],
            Unit::Tokens => &[("tokens", 1.0), ("", 1.0)],
            Unit::Count => &[("", 1.0)],
        }
    }

    fn decimals(self) -> usize {
        match self {
            Unit::Tokens => 1,
            _ => 2,
        }
    }
}

impl Serialize for Quantity {
    /// The name.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

/// How many letters must be put in, left out or changed to make one word of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_is_found_by_its_own_name_and_by_no_other_figures() {
        let all = Quantity::all();
        assert_eq!(all.len(), 28 + 16 + 23 * 13);
        for quantity in &all {
            assert_eq!(Quantity::named(&quantity.name()), Ok(*quantity));
        }
        assert_eq!(Quantity::named("rps").unwrap().name(), "request_throughput");
    }

    #[test]
    fn the_documentation_lists_every_figure() {
        let text = include_str!("../../../docs/ci.md");
        let words = SINGLES.iter().map(|single| single.name).chain(Metric::ALL.map(Metric::word));
        let missing: Vec<&str> = words.filter(|word| !text.contains(&format!("`{word}`"))).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_name_that_is_nearly_one_is_answered_with_those_that_are_near() {
        assert_eq!(Quantity::named("p99_tfft").unwrap_err()[0], "p99_ttft");
        assert_eq!(Quantity::named("eror_rate").unwrap_err()[0], "error_rate");
        assert_eq!(Quantity::named("ttft").unwrap_err(), ["avg_ttft", "p50_ttft", "p99_ttft"]);
        assert!(Quantity::named("p98_ttft").unwrap_err().contains(&"p99_ttft".to_string()));
    }

    #[test]
    fn words_are_as_far_apart_as_their_letters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!((distance("", "ab"), distance("ab", ""), distance("ab", "ab")), (2, 2, 0));
    }
}
