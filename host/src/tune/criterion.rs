//! What a service promises: limits on the figures of a stage, with their units.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::metrics::{Metric, Percentile, StageSummary};
use crate::units::decimal;

/// A figure of a stage that can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SlaMetric {
    /// A time of single requests.
    Time(TimeMetric, Statistic),
    /// Successful requests per second.
    Rps,
    /// Output tokens per second.
    Tps,
}

/// A time of single requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeMetric {
    /// The whole request.
    Latency,
    /// Time to first token.
    Ttft,
    /// Time per output token.
    Tpot,
}

/// Which figure of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// The mean.
    Avg,
    /// A percentile that the percentile table has.
    Percent(u32),
}

/// What is asked of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// At most this; times in milliseconds.
    AtMost(f64),
    /// Less than this.
    Below(f64),
    /// At least this.
    AtLeast(f64),
    /// More than this.
    Above(f64),
    /// As much as there can be.
    Max,
    /// As little as there can be.
    Min,
}

/// One line of an SLA: a figure and what is asked of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Criterion {
    /// The figure.
    pub metric: SlaMetric,
    /// What is asked of it.
    pub goal: Goal,
    /// Both as the user wrote them.
    pub text: String,
}

/// An SLA that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CriterionError {
    /// A figure that there is not.
    #[error(
        "\"{0}\" is no figure; choose one of avg_, p50_, p90_, p95_ or p99_ with latency, ttft or tpot, or rps or tps"
    )]
    Metric(String),
    /// A goal that makes no sense.
    #[error(
        "\"{0}\" is no goal; write <=, <, >= or > with a number and its unit, such as \"<=50ms\" or \"<=2s\", or max or min"
    )]
    Goal(String),
    /// Not a list of objects.
    #[error("it must be a JSON list of objects, such as [{{\"p99_ttft\": \"<=2s\"}}]")]
    Shape,
}

/// Groups of criteria: within a group all must hold, and each group is searched for on its own.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Criteria {
    /// The groups.
    pub groups: Vec<Vec<Criterion>>,
    /// What was read in a way that should be said aloud.
    pub notes: Vec<String>,
}

impl Criteria {
    /// Reads `[{"p99_ttft": "<=2s", "rps": ">=5"}, …]`.
    pub fn parse(value: &Value) -> Result<Criteria, CriterionError> {
        let groups = value.as_array().ok_or(CriterionError::Shape)?;
        let mut out = Criteria::default();
        for group in groups {
            let group: &Map<String, Value> = group.as_object().ok_or(CriterionError::Shape)?;
            let mut criteria = Vec::new();
            for (name, goal) in group {
                let goal = goal.as_str().ok_or_else(|| CriterionError::Goal(goal.to_string()))?;
                criteria.push(Criterion::parse(name, goal, &mut out.notes)?);
            }
            if criteria.is_empty() {
                return Err(CriterionError::Shape);
            }
            out.groups.push(criteria);
        }
        if out.groups.is_empty() { Err(CriterionError::Shape) } else { Ok(out) }
    }
}

impl Criterion {
    fn parse(name: &str, goal: &str, notes: &mut Vec<String>) -> Result<Criterion, CriterionError> {
        let metric = SlaMetric::parse(name).ok_or_else(|| CriterionError::Metric(name.to_string()))?;
        let compact: String = goal.chars().filter(|c| !c.is_whitespace()).collect();
        let compact = compact.replace('≤', "<=").replace('≥', ">=");
        let wrong = || CriterionError::Goal(goal.to_string());
        let goal = match compact.as_str() {
            "max" => Goal::Max,
            "min" => Goal::Min,
            text => {
                let digits = text.trim_start_matches(['<', '>', '=']);
                let operator = &text[..text.len() - digits.len()];
                let limit = metric.limit(name, digits, notes).ok_or_else(wrong)?;
                match operator {
                    "<=" => Goal::AtMost(limit),
                    "<" => Goal::Below(limit),
                    ">=" => Goal::AtLeast(limit),
                    ">" => Goal::Above(limit),
                    _ => return Err(wrong()),
                }
            }
        };
        Ok(Criterion { metric, goal, text: format!("{name} {compact}") })
    }

    /// Whether the goal is one to optimise rather than a limit.
    pub fn is_optimum(&self) -> bool {
        matches!(self.goal, Goal::Max | Goal::Min)
    }

    /// Whether `value`, in the metric's unit, keeps the limit. An optimum has no limit to break; what
    /// was not measured keeps none.
    pub fn holds(&self, value: Option<f64>) -> bool {
        let Some(value) = value else { return self.is_optimum() };
        match self.goal {
            Goal::AtMost(limit) => value <= limit,
            Goal::Below(limit) => value < limit,
            Goal::AtLeast(limit) => value >= limit,
            Goal::Above(limit) => value > limit,
            Goal::Max | Goal::Min => true,
        }
    }

    /// Whether `value` misses the limit by so much that measuring again will not change it.
    pub fn clearly_fails(&self, value: Option<f64>) -> bool {
        /// Repeated runs of a loaded server differ by a few percent, seldom by this factor.
        const FAR: f64 = 1.5;
        let Some(value) = value else { return !self.is_optimum() };
        match self.goal {
            Goal::AtMost(limit) | Goal::Below(limit) => value > limit * FAR,
            Goal::AtLeast(limit) | Goal::Above(limit) => value < limit / FAR,
            Goal::Max | Goal::Min => false,
        }
    }
}

impl SlaMetric {
    fn parse(name: &str) -> Option<SlaMetric> {
        match name {
            "rps" => return Some(SlaMetric::Rps),
            "tps" => return Some(SlaMetric::Tps),
            _ => {}
        }
        let (statistic, time) = name.split_once('_')?;
        let statistic = match statistic {
            "avg" => Statistic::Avg,
            "p50" => Statistic::Percent(50),
            "p90" => Statistic::Percent(90),
            "p95" => Statistic::Percent(95),
            "p99" => Statistic::Percent(99),
            _ => return None,
        };
        let time = match time {
            "latency" => TimeMetric::Latency,
            "ttft" => TimeMetric::Ttft,
            "tpot" => TimeMetric::Tpot,
            _ => return None,
        };
        Some(SlaMetric::Time(time, statistic))
    }

    /// The number after the operator: times in milliseconds, whatever unit they are written in.
    fn limit(self, name: &str, digits: &str, notes: &mut Vec<String>) -> Option<f64> {
        let number = |text: &str| text.parse().ok().filter(|value: &f64| value.is_finite());
        if !matches!(self, SlaMetric::Time(..)) {
            return number(digits);
        }
        if let Some(ms) = digits.strip_suffix("ms") {
            return number(ms);
        }
        if let Some(s) = digits.strip_suffix('s') {
            return number(s).map(|s| s * 1e3);
        }
        let seconds = number(digits)?;
        notes.push(format!(
            "{name}: {digits} without a unit is read as seconds; write {digits}s or {digits}ms"
        ));
        Some(seconds * 1e3)
    }

    /// The figure of a stage; times in milliseconds.
    pub fn of(self, summary: &StageSummary) -> Option<f64> {
        let (time, statistic) = match self {
            SlaMetric::Rps => return summary.request_throughput_rps(),
            SlaMetric::Tps => return summary.output_throughput_tps(),
            SlaMetric::Time(time, statistic) => (time, statistic),
        };
        let (metric, to_ms) = match time {
            TimeMetric::Latency => (Metric::Latency, 1e3),
            TimeMetric::Ttft => (Metric::Ttft, 1.0),
            TimeMetric::Tpot => (Metric::Tpot, 1.0),
        };
        let distribution = summary.distribution(metric)?;
        let value = match statistic {
            Statistic::Avg => distribution.mean(),
            Statistic::Percent(percent) => Percentile::At(f64::from(percent)).of(distribution),
        };
        Some(value * to_ms)
    }

    /// The figure with its unit.
    pub fn show(self, value: f64) -> String {
        match self {
            SlaMetric::Time(..) => format!("{} ms", decimal(value, 2)),
            SlaMetric::Rps => format!("{} req/s", decimal(value, 2)),
            SlaMetric::Tps => format!("{} tok/s", decimal(value, 2)),
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn units_are_explicit_and_a_bare_number_is_seconds_with_a_note() {
        let criteria = Criteria::parse(&json!([
            {"p99_ttft": "<=50ms", "avg_latency": "< 2s"}, {"p99_tpot": "≤0.05"}, {"tps": "max"},
        ]))
        .unwrap();
        let goals: Vec<Goal> = criteria.groups.iter().flatten().map(|criterion| criterion.goal).collect();
        assert_eq!(goals, [Goal::AtMost(50.0), Goal::Below(2000.0), Goal::AtMost(50.0), Goal::Max]);
        assert_eq!(
            criteria.notes,
            ["p99_tpot: 0.05 without a unit is read as seconds; write 0.05s or 0.05ms"]
        );
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (value, told) in [
            (json!({"rps": ">=1"}), "JSON list"),
            (json!([]), "JSON list"),
            (json!([{}]), "JSON list"),
            (json!([{"p99_speed": "<=1"}]), "\"p99_speed\""),
            (json!([{"p12_ttft": "<=1s"}]), "\"p12_ttft\""),
            (json!([{"rps": "5"}]), "\"5\""),
            (json!([{"rps": "=>5"}]), "\"=>5\""),
            (json!([{"rps": ">=x"}]), "\">=x\""),
        ] {
            let error = Criteria::parse(&value).unwrap_err().to_string();
            assert!(error.contains(told), "{value}: {error}");
        }
    }

    #[test]
    fn a_limit_holds_up_to_itself_and_nothing_measured_holds_nothing() {
        let criteria =
            Criteria::parse(&json!([{"p99_ttft": "<=50ms"}, {"rps": ">5"}, {"tps": "max"}])).unwrap();
        let [ttft, rps, tps] = [0, 1, 2].map(|group| criteria.groups[group][0].clone());
        assert!(ttft.holds(Some(50.0)) && !ttft.holds(Some(50.1)) && !ttft.holds(None));
        assert!(!ttft.clearly_fails(Some(60.0)) && ttft.clearly_fails(Some(80.0)));
        assert!(!rps.holds(Some(5.0)) && rps.holds(Some(5.1)) && rps.clearly_fails(Some(3.0)));
        assert!(tps.holds(Some(0.0)) && tps.is_optimum());
    }
}
