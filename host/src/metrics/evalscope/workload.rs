//! How fast tokens were worked off over a stage, as `evalscope perf` has it in
//! `workload_throughput.json`: all tokens of a request count at the moment it is completed.

use serde::Serialize;

use crate::record::{EvalscopeFigures, RequestRecord};
use crate::units::Nanos;

/// The length of the last window, in seconds.
const LAST_WINDOW_S: f64 = 30.0;
/// The share of the time that the steady state leaves out at the beginning.
const WARMUP: f64 = 0.2;

/// The names of the rates.
const RATES: [&str; 4] =
    ["Total Prompt tok/s", "New Prompt tok/s", "Cached Prompt tok/s", "Completion tok/s"];

/// A request's completion: seconds since the start, and the tokens of all requests until then.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WorkloadPoint {
    /// Seconds since the start of the request that was completed first.
    pub t: f64,
    /// Tokens generated.
    pub cum_completion: u64,
    /// Tokens of prompts that were not cached.
    pub cum_new_prompt: u64,
    /// Tokens of prompts that were.
    pub cum_cached_prompt: u64,
}

/// Collects completions, in the order in which they come. It holds 32 bytes for each.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Workload {
    start: Option<Nanos>,
    points: Vec<WorkloadPoint>,
}

/// A rate over three spans of time, in tokens per second.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkloadRow {
    /// Which rate.
    pub metric: &'static str,
    /// Over everything.
    pub overall: f64,
    /// Over the last 30 s.
    pub last_window: f64,
    /// Without the first fifth of the time.
    pub steady_state: f64,
}

/// The rates of a stage, and what they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadThroughput {
    /// When the request was started that was completed first.
    pub wall_start: Nanos,
    /// The completions.
    pub points: Vec<WorkloadPoint>,
    /// The rates.
    pub rows: Vec<WorkloadRow>,
}

impl Workload {
    pub(super) fn push(&mut self, record: &RequestRecord, figures: &EvalscopeFigures) {
        let cached = record.tokens.cached.unwrap_or(0);
        self.complete(
            figures.started,
            figures.completed,
            [figures.input_tokens, figures.output_tokens, cached],
        );
    }

    /// Tokens of the prompt, tokens generated, and those of the prompt that were cached.
    fn complete(&mut self, started: Nanos, completed: Nanos, [prompt, completion, cached]: [u64; 3]) {
        let start = *self.start.get_or_insert(started);
        let last = self.points.last().copied().unwrap_or(ORIGIN);
        self.points.push(WorkloadPoint {
            t: (completed - start).as_s(),
            cum_completion: last.cum_completion + completion,
            cum_new_prompt: last.cum_new_prompt + prompt.saturating_sub(cached),
            cum_cached_prompt: last.cum_cached_prompt + cached,
        });
    }

    /// The rates; `None` if nothing was completed.
    pub(super) fn finish(self) -> Option<WorkloadThroughput> {
        let (wall_start, last) = (self.start?, *self.points.last()?);
        let overall = rates(ORIGIN, last);
        let last_window = self.last_window(LAST_WINDOW_S).unwrap_or(overall);
        let steady = self.steady_state(WARMUP).unwrap_or(overall);
        let row = |at: usize| WorkloadRow {
            metric: RATES[at],
            overall: overall[at],
            last_window: last_window[at],
            steady_state: steady[at],
        };
        Some(WorkloadThroughput {
            wall_start,
            rows: (0..RATES.len()).map(row).collect(),
            points: self.points,
        })
    }

    fn last_window(&self, window_s: f64) -> Option<[f64; 4]> {
        let last = *self.points.last()?;
        (last.t > window_s).then(|| rates(self.anchor(last.t - window_s), last))
    }

    fn steady_state(&self, warmup: f64) -> Option<[f64; 4]> {
        let last = *self.points.last()?;
        let anchor = self.anchor(last.t * warmup);
        (anchor.t < last.t).then(|| rates(anchor, last))
    }

    /// The last completion until then, or the first of all.
    fn anchor(&self, t: f64) -> WorkloadPoint {
        let until = self.points.iter().take_while(|point| point.t <= t);
        until.last().or(self.points.first()).copied().unwrap_or(ORIGIN)
    }
}

const ORIGIN: WorkloadPoint =
    WorkloadPoint { t: 0.0, cum_completion: 0, cum_new_prompt: 0, cum_cached_prompt: 0 };

/// In the order of [`RATES`].
fn rates(from: WorkloadPoint, to: WorkloadPoint) -> [f64; 4] {
    let seconds = to.t - from.t;
    let new = to.cum_new_prompt - from.cum_new_prompt;
    let cached = to.cum_cached_prompt - from.cum_cached_prompt;
    let completion = to.cum_completion - from.cum_completion;
    [new + cached, new, cached, completion].map(|tokens| match seconds > 0.0 {
        true => tokens as f64 / seconds,
        false => 0.0,
    })
}

#[cfg(test)]
mod tests {
    //! `test_workload_timeline.py`.

    use super::*;

    /// Completions: start and end in seconds; prompt, completion and cached tokens.
    fn of(given: &[(f64, f64, [u64; 3])]) -> Workload {
        let mut workload = Workload::default();
        for &(started, completed, tokens) in given {
            workload.complete(Nanos::from_s(started), Nanos::from_s(completed), tokens);
        }
        workload
    }

    fn at(moments: &[f64]) -> Workload {
        of(&moments.iter().map(|&at| (0.0, at, [0, 10, 0])).collect::<Vec<_>>())
    }

    #[test]
    fn three_requests_have_the_rates_that_they_have_there() {
        let got =
            of(&[(100.0, 101.0, [20, 10, 0]), (100.5, 102.0, [30, 15, 20]), (101.0, 104.0, [40, 20, 35])]);
        let got = got.finish().unwrap();
        assert_eq!(got.points.last().unwrap().t, 4.0);
        assert_eq!(got.rows.iter().map(|row| row.overall).collect::<Vec<_>>(), [22.5, 8.75, 13.75, 11.25]);
        let names: Vec<&str> = got.rows.iter().map(|row| row.metric).collect();
        assert_eq!(
            names,
            ["Total Prompt tok/s", "New Prompt tok/s", "Cached Prompt tok/s", "Completion tok/s"]
        );
    }

    #[test]
    fn the_start_is_that_of_the_first_completion() {
        let got = of(&[(100.0, 101.0, [0; 3]), (99.0, 102.0, [0; 3])]).finish().unwrap();
        assert_eq!(got.wall_start, Nanos::from_s(100.0));
        assert_eq!(got.points.iter().map(|point| point.t).collect::<Vec<_>>(), [1.0, 2.0]);
    }

    #[test]
    fn a_prompt_cannot_be_new_by_less_than_nothing() {
        let got = of(&[(0.0, 1.0, [10, 0, 25])]).finish().unwrap();
        assert_eq!((got.points[0].cum_new_prompt, got.points[0].cum_cached_prompt), (0, 25));
    }

    #[test]
    fn the_last_window_and_the_steady_state_begin_with_a_completion() {
        assert_eq!(at(&[1.0, 3.0, 6.0, 10.0]).last_window(5.0).unwrap()[3], 20.0 / 7.0);
        assert_eq!(at(&[1.0, 2.0, 8.0, 10.0]).steady_state(0.2).unwrap()[3], 20.0 / 8.0);
        // A target before the first completion is that one.
        assert_eq!(at(&[5.0, 8.0, 10.0]).steady_state(0.2).unwrap()[3], 20.0 / 5.0);
    }

    #[test]
    fn a_short_run_and_a_single_completion_are_told_overall() {
        let got = at(&[1.0, 3.0]).finish().unwrap();
        assert_eq!(got.rows[3].last_window, got.rows[3].overall);
        let got = at(&[2.0]).finish().unwrap();
        assert_eq!([got.rows[3].overall, got.rows[3].last_window, got.rows[3].steady_state], [5.0; 3]);
        assert_eq!(Workload::default().finish(), None);
    }
}
