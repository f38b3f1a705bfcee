//! What makes a request a good one: a limit for each of some figures.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::RequestRecord;

/// A figure of a request that a goodput target can limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoodputMetric {
    /// Time to the first token.
    Ttft,
    /// Time per output token after the first.
    Tpot,
    /// The mean interval between frames of output.
    Itl,
    /// The whole request.
    Latency,
}

/// A limit that good requests stay within: `ttft:200`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GoodputTarget {
    /// The figure.
    pub metric: GoodputMetric,
    /// The most that it may be, in milliseconds.
    pub limit_ms: f64,
}

/// A target that is not `METRIC:MILLISECONDS`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no goodput target; write METRIC:MS with ttft, tpot, itl or latency, such as ttft:200")]
pub struct GoodputError(String);

impl FromStr for GoodputTarget {
    type Err = GoodputError;

    fn from_str(text: &str) -> Result<GoodputTarget, GoodputError> {
        let error = || GoodputError(text.to_string());
        let (metric, limit) = text.split_once(':').ok_or_else(error)?;
        let metric = match metric {
            "ttft" => GoodputMetric::Ttft,
            "tpot" => GoodputMetric::Tpot,
            "itl" => GoodputMetric::Itl,
            "latency" | "e2el" => GoodputMetric::Latency,
            _ => return Err(error()),
        };
        let limit_ms = limit.parse().ok().filter(|&ms: &f64| ms > 0.0 && ms.is_finite()).ok_or_else(error)?;
        Ok(GoodputTarget { metric, limit_ms })
    }
}

impl fmt::Display for GoodputTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metric = match self.metric {
            GoodputMetric::Ttft => "TTFT",
            GoodputMetric::Tpot => "TPOT",
            GoodputMetric::Itl => "ITL",
            GoodputMetric::Latency => "latency",
        };
        write!(f, "{metric} ≤ {} ms", crate::units::decimal(self.limit_ms, 3))
    }
}

impl GoodputTarget {
    /// Whether a successful request stays within the limit. A reply of a single token has no time
    /// between tokens and cannot be too slow there; any other figure that was not measured is
    /// taken for a miss.
    pub fn is_met_by(&self, record: &RequestRecord) -> bool {
        self.holds(record, record.ttft_ms, record.latency_ms)
    }

    /// The same, with TTFT and latency from the moment the request was due.
    pub fn is_met_from_due_by(&self, record: &RequestRecord) -> bool {
        self.holds(record, record.ttft_from_due_ms(), record.latency_from_due_ms())
    }

    fn holds(&self, record: &RequestRecord, ttft_ms: Option<f64>, latency_ms: Option<f64>) -> bool {
        let single = record.tokens.output == Some(1);
        let value = match self.metric {
            GoodputMetric::Ttft => ttft_ms,
            GoodputMetric::Latency => latency_ms,
            GoodputMetric::Tpot if single => return true,
            GoodputMetric::Itl if single => return true,
            GoodputMetric::Tpot => record.tpot_ms,
            GoodputMetric::Itl => {
                let gaps = &record.itl_ms;
                (!gaps.is_empty()).then(|| gaps.iter().sum::<f64>() / gaps.len() as f64)
            }
        };
        value.is_some_and(|value| value <= self.limit_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_printed() {
        let target: GoodputTarget = "ttft:200.5".parse().unwrap();
        assert_eq!(target, GoodputTarget { metric: GoodputMetric::Ttft, limit_ms: 200.5 });
        assert_eq!(target.to_string(), "TTFT ≤ 200.5 ms");
        for wrong in ["ttft", "ttft:", "ttft:-1", "ttft:nan", "speed:5"] {
            let error = wrong.parse::<GoodputTarget>().unwrap_err().to_string();
            assert!(error.contains(wrong) && error.contains("METRIC:MS"), "{error}");
        }
    }
}
