//! The figures of a run as OpenTelemetry counts: histograms with fixed bounds, in memory that does not grow.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::record::RequestRecord;

/// How many stages that are over may wait for the collector.
const KEPT: usize = 100;

/// The bounds that the conventions give for times, in seconds.
const TIMES_S: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
/// Those for the time to the first token.
const FIRST_TOKEN_S: [f64; 16] =
    [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Those for the time of a token, and finer ones below: a token often takes less than the least of them.
const TOKEN_S: [f64; 17] =
    [0.001, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5];
/// Those for the time between chunks, likewise.
const CHUNK_S: [f64; 18] = [
    0.001, 0.0025, 0.005, 0.0075, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48,
    40.96, 81.92,
];
/// Those for tokens of a request.
const TOKENS: [f64; 14] = [
    1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0,
    16777216.0, 67108864.0,
];

/// A distribution: how many values lie at or below each bound and above the one before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Histogram {
    pub(super) bounds: &'static [f64],
    /// One more than bounds: the last is for what is above them all.
    pub(super) counts: Vec<u64>,
    pub(super) sum: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Histogram {
        let counts = vec![0; bounds.len() + 1];
        Histogram { bounds, counts, sum: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY }
    }

    fn push(&mut self, value: f64) {
        self.counts[self.bounds.partition_point(|bound| *bound < value)] += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    fn push_ms(&mut self, ms: Option<f64>) {
        if let Some(ms) = ms {
            self.push(ms / 1e3);
        }
    }

    fn push_tokens(&mut self, tokens: Option<u64>) {
        if let Some(tokens) = tokens {
            self.push(tokens as f64);
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// What is counted of a stage. Warm-up requests are in none of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StageFigures {
    pub(super) name: String,
    pub(super) index: usize,
    /// When it began, in nanoseconds of the wall clock.
    pub(super) started_unix_ns: i64,
    /// When it was over, likewise; `None` while it runs.
    pub(super) finished_unix_ns: Option<i64>,
    pub(super) succeeded: u64,
    /// Failed requests by kind.
    pub(super) failed: BTreeMap<&'static str, u64>,
    /// Latency in seconds, of the successes and of each kind of failure.
    pub(super) duration_s: BTreeMap<Option<&'static str>, Histogram>,
    pub(super) input_tokens: Histogram,
    pub(super) output_tokens: Histogram,
    pub(super) ttft_s: Histogram,
    pub(super) first_chunk_s: Histogram,
    pub(super) tpot_s: Histogram,
    pub(super) chunk_s: Histogram,
}

impl StageFigures {
    pub(super) fn new(name: &str, index: usize, started_unix_ns: i64) -> StageFigures {
        StageFigures {
            name: name.to_string(),
            index,
            started_unix_ns,
            finished_unix_ns: None,
            succeeded: 0,
            failed: BTreeMap::new(),
            duration_s: BTreeMap::new(),
            input_tokens: Histogram::new(&TOKENS),
            output_tokens: Histogram::new(&TOKENS),
            ttft_s: Histogram::new(&FIRST_TOKEN_S),
            first_chunk_s: Histogram::new(&TIMES_S),
            tpot_s: Histogram::new(&TOKEN_S),
            chunk_s: Histogram::new(&CHUNK_S),
        }
    }

    pub(super) fn push(&mut self, record: &RequestRecord) {
        let error = record.failure.as_ref().map(|failure| failure.kind.name());
        let duration = self.duration_s.entry(error).or_insert_with(|| Histogram::new(&TIMES_S));
        duration.push_ms(record.latency_ms);
        if let Some(error) = error {
            *self.failed.entry(error).or_default() += 1;
            return;
        }
        self.succeeded += 1;
        self.input_tokens.push_tokens(record.tokens.input);
        self.output_tokens.push_tokens(record.tokens.output);
        self.ttft_s.push_ms(record.ttft_ms);
        self.first_chunk_s.push_ms(record.ttft_ms);
        self.tpot_s.push_ms(record.tpot_ms);
        record.itl_ms.iter().for_each(|ms| self.chunk_s.push_ms(Some(*ms)));
    }
}

/// The stage that runs, and those that are over and whose last figures the collector has not got yet.
#[derive(Debug, Default)]
pub(super) struct Figures(Mutex<Stages>);

#[derive(Debug, Default)]
struct Stages {
    current: Option<StageFigures>,
    finished: VecDeque<StageFigures>,
    /// Stages that were given up.
    lost: usize,
}

impl Figures {
    pub(super) fn begin(&self, stage: StageFigures) {
        self.lock().current = Some(stage);
    }

    pub(super) fn push(&self, record: &RequestRecord) {
        if let Some(current) = &mut self.lock().current {
            current.push(record);
        }
    }

    pub(super) fn end(&self, at_unix_ns: i64) {
        let mut stages = self.lock();
        let Some(mut over) = stages.current.take() else { return };
        over.finished_unix_ns = Some(at_unix_ns);
        if stages.finished.len() == KEPT {
            stages.finished.pop_front();
            stages.lost += 1;
        }
        stages.finished.push_back(over);
    }

    /// A copy of what there is to be told.
    pub(super) fn pending(&self) -> Vec<StageFigures> {
        let stages = self.lock();
        stages.finished.iter().chain(&stages.current).cloned().collect()
    }

    /// Forgets those stages of `told` that were over by then: the collector has them.
    pub(super) fn delivered(&self, told: &[StageFigures]) {
        let over = |index| told.iter().any(|told| told.index == index && told.finished_unix_ns.is_some());
        self.lock().finished.retain(|stage| !over(stage.index));
    }

    /// How many stages will never be told in full.
    pub(super) fn lost(&self) -> usize {
        let stages = self.lock();
        stages.lost + stages.finished.len()
    }

    fn lock(&self) -> MutexGuard<'_, Stages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;

    #[test]
    fn a_value_on_a_bound_is_in_the_bucket_below_it() {
        let mut histogram = Histogram::new(&TOKENS);
        for value in [0.0, 1.0, 1.5, 4.0, 1e9] {
            histogram.push(value);
        }
        assert_eq!((&histogram.counts[..3], histogram.counts[14]), (&[2, 2, 0][..], 1));
        assert_eq!((histogram.count(), histogram.min, histogram.max), (5, 0.0, 1e9));
        assert_eq!(histogram.sum, 1e9 + 6.5);
    }

    #[test]
    fn bounds_rise_and_hold_those_of_the_conventions() {
        for bounds in [&TIMES_S[..], &FIRST_TOKEN_S, &TOKEN_S, &CHUNK_S, &TOKENS] {
            assert!(bounds.is_sorted_by(|a, b| a < b), "{bounds:?}");
        }
        assert!(TIMES_S.iter().all(|bound| CHUNK_S.contains(bound)));
    }

    #[test]
    fn a_stage_is_kept_until_the_collector_has_its_last_figures() {
        let figures = Figures::default();
        figures.begin(StageFigures::new("a", 0, 1));
        figures.push(&sample::success(1, 5));
        let while_running = figures.pending();
        figures.end(9);
        figures.begin(StageFigures::new("b", 1, 10));
        // It was not over when it was told.
        figures.delivered(&while_running);
        let told = figures.pending();
        assert_eq!(told.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((told[0].succeeded, told[0].chunk_s.count(), figures.lost()), (1, 4, 1));
        figures.delivered(&told);
        assert_eq!(figures.pending().len(), 1);
        assert_eq!(figures.lost(), 0);
    }

    #[test]
    fn stages_that_nobody_fetches_are_not_kept_without_end() {
        let figures = Figures::default();
        for index in 0..KEPT + 3 {
            figures.begin(StageFigures::new("a", index, 1));
            figures.end(2);
        }
        assert_eq!((figures.pending().len(), figures.lost()), (KEPT, KEPT + 3));
    }
}
