//! Conversations as `evalscope perf` sums them up in `trace_summary.json`: one that broke off counts as
//! far as it came, and what was not measured is 0.

use std::collections::HashMap;

use serde::Serialize;

use crate::record::{EvalscopeFigures, RequestRecord};

/// A turn that succeeded.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Turn {
    turn: u32,
    started_s: f64,
    completed_s: f64,
    ttft_s: f64,
    prompt: u64,
    completion: u64,
    cached: u64,
}

/// A figure over all conversations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TraceRow {
    /// Its name.
    pub metric: &'static str,
    /// Its mean.
    pub mean: f64,
    /// The least of it.
    pub min: f64,
    /// Percentiles, interpolated.
    pub p50: f64,
    /// The 90th.
    pub p90: f64,
    /// The 95th.
    pub p95: f64,
    /// The 99th.
    pub p99: f64,
    /// The most of it.
    pub max: f64,
}

/// The conversations of a stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TraceSummary {
    /// How many there were.
    pub n_traces: usize,
    /// Their figures.
    pub rows: Vec<TraceRow>,
}

/// Collects the turns of conversations.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Traces {
    /// The fewest turns that make a conversation.
    least_turns: u32,
    turns: HashMap<String, Vec<Turn>>,
}

/// A figure of one conversation from its turns, of which there is at least one.
type Figure = fn(&[Turn]) -> f64;

/// The figures and their names.
const FIGURES: [(&str, Figure); 6] = [
    ("Latency (s)", |turns| turns[turns.len() - 1].completed_s - turns[0].started_s),
    ("First-Turn TTFT (s)", |turns| turns[0].ttft_s),
    ("TTFAT (s)", |turns| {
        let last = turns[turns.len() - 1];
        last.started_s + last.ttft_s - turns[0].started_s
    }),
    ("Decode TPS", |turns| {
        let seconds = |turn: &Turn| turn.completed_s - turn.started_s - turn.ttft_s;
        let decoded = turns.iter().filter(|turn| turn.completion > 1 && seconds(turn) > 0.0);
        let speeds: Vec<f64> = decoded.map(|turn| (turn.completion - 1) as f64 / seconds(turn)).collect();
        if speeds.is_empty() { 0.0 } else { speeds.iter().sum::<f64>() / speeds.len() as f64 }
    }),
    ("Cache Hit Rate (%)", |turns| {
        percent(turns.iter().map(|turn| turn.cached).sum(), turns.iter().map(|turn| turn.prompt).sum())
    }),
    ("Eligible Cache Hit Rate (%)", |turns| {
        let later = turns.iter().skip(1).map(|turn| turn.cached).sum();
        let before = turns[..turns.len() - 1].iter().map(|turn| turn.prompt + turn.completion).sum();
        percent(later, before)
    }),
];

impl Traces {
    /// No turns yet. `single` tells whether a conversation of a single turn counts.
    pub(super) fn new(single: bool) -> Traces {
        Traces { least_turns: if single { 1 } else { 2 }, turns: HashMap::new() }
    }

    pub(super) fn push(&mut self, record: &RequestRecord, figures: &EvalscopeFigures) {
        if record.key.conversation_turns < self.least_turns {
            return;
        }
        let id = record.key.request_id.split('.').next().unwrap_or_default();
        self.turns.entry(id.to_string()).or_default().push(Turn {
            turn: record.key.turn,
            started_s: figures.started.as_s(),
            completed_s: figures.completed.as_s(),
            ttft_s: figures.ttft_s,
            prompt: figures.input_tokens,
            completion: figures.output_tokens,
            cached: record.tokens.cached.unwrap_or(0),
        });
    }

    /// The figures; `None` if there were no conversations.
    pub(super) fn finish(self) -> Option<TraceSummary> {
        let mut traces: Vec<Vec<Turn>> = self.turns.into_values().collect();
        for turns in &mut traces {
            turns.sort_by_key(|turn| turn.turn);
        }
        let row = |(metric, of): (&'static str, Figure)| {
            let mut values: Vec<f64> = traces.iter().map(|turns| of(turns)).collect();
            values.sort_unstable_by(f64::total_cmp);
            let at = |quantile: f64| {
                let rank = quantile * (values.len() - 1) as f64;
                let (below, above) = (values[rank.floor() as usize], values[rank.ceil() as usize]);
                below + (above - below) * rank.fract()
            };
            TraceRow {
                metric,
                mean: values.iter().sum::<f64>() / values.len() as f64,
                min: at(0.0),
                p50: at(0.5),
                p90: at(0.9),
                p95: at(0.95),
                p99: at(0.99),
                max: at(1.0),
            }
        };
        (!traces.is_empty())
            .then(|| TraceSummary { n_traces: traces.len(), rows: FIGURES.into_iter().map(row).collect() })
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 * 100.0 }
}

#[cfg(test)]
mod tests {
    //! `test_trace_metrics.py`.

    use super::*;

    fn turn(number: u32, times: (f64, f64, f64), [prompt, completion, cached]: [u64; 3]) -> Turn {
        let (started_s, completed_s, ttft_s) = times;
        Turn { turn: number, started_s, completed_s, ttft_s, prompt, completion, cached }
    }

    fn summary(traces: &[&[Turn]]) -> TraceSummary {
        let turns = traces.iter().enumerate().map(|(id, turns)| (id.to_string(), turns.to_vec()));
        Traces { least_turns: 1, turns: turns.collect() }.finish().unwrap()
    }

    #[test]
    fn the_figures_of_a_trace_are_those_that_it_has_there() {
        let got = summary(&[&[
            turn(2, (5.0, 7.0, 0.4), [400, 31, 200]),
            turn(0, (0.0, 2.0, 0.5), [100, 51, 0]),
            turn(1, (3.0, 4.5, 0.3), [200, 21, 130]),
        ]]);
        assert_eq!((got.n_traces, got.rows.len()), (1, 6));
        let decode = (50.0 / 1.5 + 20.0 / 1.2 + 30.0 / 1.6) / 3.0;
        let expected = [7.0, 0.5, 5.4, decode, 330.0 / 700.0 * 100.0, 330.0 / 372.0 * 100.0];
        for (row, expected) in got.rows.iter().zip(expected) {
            // Their own value of the fourth, 22.917, has three places.
            let wrong = |value: f64| (value - expected).abs() > 1e-9;
            assert!(!wrong(row.mean) && !wrong(row.min) && !wrong(row.p99), "{row:?} {expected}");
        }
        assert!((decode - 22.917).abs() < 5e-4);
    }

    #[test]
    fn several_traces_have_a_least_a_mean_and_a_most() {
        let one = |seconds: f64| turn(0, (0.0, seconds, 0.1), [10, 5, 0]);
        let got = summary(&[&[one(1.0)], &[one(3.0)]]);
        let latency = &got.rows[0];
        assert_eq!((latency.min, latency.mean, latency.p50, latency.max), (1.0, 2.0, 2.0, 3.0));
        assert_eq!(got.rows[5].mean, 0.0, "nothing could have been cached");
        assert_eq!(Traces::new(true).finish(), None);
    }
}
