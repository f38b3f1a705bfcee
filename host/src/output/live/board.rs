//! The state of a run that everything live is drawn from.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;

use super::series::{Point, Series};
use super::snapshot::{ClientProgress, Phase, Snapshot, Spread, StageProgress};
use crate::clock::Clock;
use crate::record::{Activity, Event, RequestRecord, StageEnd, StageHeader};
use crate::units::Nanos;

/// How many stages that are over, and how many warnings, are kept to be shown.
const KEPT: usize = 100;

/// What is known of a run so far. It is shared: one thread tells it events, any may ask it.
#[derive(Debug)]
pub struct Board {
    clock: Clock,
    activity: Arc<Activity>,
    stages: Option<usize>,
    /// When stages stop starting requests, from `--duration`.
    duration_s: Option<f64>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    run_id: String,
    current: Option<Current>,
    finished: VecDeque<StageProgress>,
    warnings: VecDeque<String>,
    client: ClientProgress,
    over: bool,
}

/// The stage that is running, or the last one that was.
#[derive(Debug)]
struct Current {
    header: Arc<StageHeader>,
    end: Option<Box<StageEnd>>,
    started: Nanos,
    /// When its first measured request was sent, as far as that is known.
    measured_from: Option<Nanos>,
    warmup_settled: u64,
    /// First attempts of first turns: what `--number` counts.
    counted: u64,
    settled: u64,
    succeeded: u64,
    errors: BTreeMap<&'static str, u64>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    latency: Times,
    ttft: Times,
    tpot: Times,
    itl: Times,
    series: Series,
}

/// Times in milliseconds, to three digits, in memory that does not grow.
#[derive(Debug)]
struct Times {
    histogram: Option<Histogram<u64>>,
    sum_ms: f64,
}

impl Times {
    fn new() -> Times {
        /// A day in microseconds.
        const HIGHEST_US: u64 = 86_400_000_000;
        // The bounds are constants, and valid ones: a test makes this histogram.
        Times { histogram: Histogram::new_with_bounds(1, HIGHEST_US, 3).ok(), sum_ms: 0.0 }
    }

    fn extend(&mut self, values_ms: &[f64]) {
        let Some(histogram) = &mut self.histogram else { return };
        for ms in values_ms {
            histogram.saturating_record((ms.max(0.0) * 1e3) as u64);
            self.sum_ms += ms;
        }
    }

    fn spread(&self) -> Option<Spread> {
        let histogram = self.histogram.as_ref().filter(|histogram| !histogram.is_empty())?;
        let ms = |us: u64| us as f64 / 1e3;
        Some(Spread {
            count: histogram.len(),
            mean: self.sum_ms / histogram.len() as f64,
            p50: ms(histogram.value_at_quantile(0.5)),
            p90: ms(histogram.value_at_quantile(0.9)),
            p99: ms(histogram.value_at_quantile(0.99)),
            max: ms(histogram.max()),
        })
    }
}

impl Current {
    fn new(header: Arc<StageHeader>, started: Nanos) -> Current {
        Current {
            header,
            end: None,
            started,
            measured_from: None,
            warmup_settled: 0,
            counted: 0,
            settled: 0,
            succeeded: 0,
            errors: BTreeMap::new(),
            input_tokens: None,
            output_tokens: None,
            latency: Times::new(),
            ttft: Times::new(),
            tpot: Times::new(),
            itl: Times::new(),
            series: Series::default(),
        }
    }

    fn push(&mut self, record: &RequestRecord) {
        self.series.push(record, self.started);
        if record.key.warmup {
            self.warmup_settled += 1;
            return;
        }
        let began = record.sent.unwrap_or(record.due);
        self.measured_from = Some(self.measured_from.map_or(began, |first| first.min(began)));
        self.settled += 1;
        self.counted += u64::from(record.key.turn == 0 && record.key.attempt == 1);
        if let Some(failure) = &record.failure {
            *self.errors.entry(failure.kind.name()).or_default() += 1;
            return;
        }
        self.succeeded += 1;
        let add = |sum: &mut Option<u64>, more: Option<u64>| {
            if let Some(more) = more {
                *sum = Some(sum.unwrap_or(0) + more);
            }
        };
        add(&mut self.input_tokens, record.tokens.input);
        add(&mut self.output_tokens, record.tokens.output);
        self.latency.extend(record.latency_ms.as_slice());
        self.ttft.extend(record.ttft_ms.as_slice());
        self.tpot.extend(record.tpot_ms.as_slice());
        self.itl.extend(&record.itl_ms);
    }

    fn progress(&self, now: Nanos, in_flight: u64, duration_s: Option<f64>) -> StageProgress {
        let phase = match (&self.end, self.measured_from) {
            (Some(_), _) => Phase::Finished,
            (None, None) if self.warmup_settled < self.header.warmup => Phase::Warmup,
            _ => Phase::Measuring,
        };
        let until = self.end.as_ref().map_or(now, |end| Nanos(end.finished_ns));
        let elapsed_s = (until - self.measured_from.unwrap_or(self.started)).as_s().max(0.0);
        let measured_s = Some(elapsed_s).filter(|&s| s > 0.0 && self.measured_from.is_some());
        let per_s = |count: f64| measured_s.map(|s| count / s);
        let by_number = self.counted as f64 / self.header.number.max(1) as f64;
        let by_time = duration_s.filter(|_| phase != Phase::Warmup).map_or(0.0, |all| elapsed_s / all);
        let eta_s = match phase {
            Phase::Measuring => {
                let number_s = measured_s.filter(|_| by_number > 0.0).map(|s| s * (1.0 / by_number - 1.0));
                let time_s = duration_s.map(|all| all - elapsed_s);
                number_s.into_iter().chain(time_s).reduce(f64::min).map(|s| s.max(0.0))
            }
            Phase::Warmup | Phase::Finished => None,
        };
        StageProgress {
            name: self.header.name.clone(),
            index: self.header.index,
            parallel: self.header.parallel,
            rate_rps: self.header.rate_rps,
            number: self.header.number,
            phase,
            elapsed_s,
            done_ratio: match phase {
                Phase::Finished => 1.0,
                _ => by_number.max(by_time).min(1.0),
            },
            eta_s,
            warmup_settled: self.warmup_settled,
            settled: self.settled,
            succeeded: self.succeeded,
            failed: self.settled - self.succeeded,
            errors: self.errors.clone(),
            in_flight,
            request_rps: per_s(self.succeeded as f64).filter(|_| self.settled > 0),
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            output_tps: self.output_tokens.and_then(|tokens| per_s(tokens as f64)),
            total_tps: self
                .input_tokens
                .zip(self.output_tokens)
                .and_then(|(input, output)| per_s((input + output) as f64)),
            latency_ms: self.latency.spread(),
            ttft_ms: self.ttft.spread(),
            tpot_ms: self.tpot.spread(),
            itl_ms: self.itl.spread(),
        }
    }
}

impl Board {
    /// A board for a run of `stages` stages (`None`: nobody knows yet), which stop starting requests
    /// after `duration_s` seconds, if that is given.
    pub fn new(
        clock: Clock,
        activity: Arc<Activity>,
        stages: Option<usize>,
        duration_s: Option<f64>,
    ) -> Board {
        Board { clock, activity, stages, duration_s, state: Mutex::default() }
    }

    /// Takes an event into account.
    pub fn tell(&self, event: &Event) {
        let mut state = self.lock();
        match event {
            Event::RunStarted(run) => state.run_id.clone_from(&run.run_id),
            Event::StageStarted(stage) => {
                state.current = Some(Current::new(stage.clone(), self.clock.now()));
            }
            Event::RequestSettled(record) => {
                if let Some(current) = &mut state.current {
                    current.push(record);
                }
            }
            Event::StageFinished(_, end) => {
                let Some(current) = &mut state.current else { return };
                current.end = Some(end.clone());
                let progress = current.progress(self.clock.now(), 0, self.duration_s);
                keep(&mut state.finished, progress);
            }
            Event::Warned(text) => keep(&mut state.warnings, text.clone()),
            Event::RunFinished => state.over = true,
            Event::ReplyKept(_) => {}
        }
    }

    /// Looks at the client: once a second, by whoever follows the run.
    pub fn sample(&self, cpu_percent: Option<f64>) {
        let loop_lag_ms = self.activity.take_loop_lag().map(Nanos::as_ms);
        let in_flight = self.activity.in_flight();
        let now = self.clock.now();
        let mut state = self.lock();
        state.client = ClientProgress { cpu_percent, loop_lag_ms };
        if let Some(current) = state.current.as_mut().filter(|current| current.end.is_none()) {
            let at_s = u64::try_from((now - current.started).0 / 1_000_000_000).unwrap_or(0);
            current.series.sample(at_s, in_flight, loop_lag_ms);
        }
    }

    /// The run as it is now.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_at(self.clock.now())
    }

    fn snapshot_at(&self, now: Nanos) -> Snapshot {
        let in_flight = self.activity.in_flight();
        let state = self.lock();
        Snapshot {
            run_id: state.run_id.clone(),
            elapsed_s: now.as_s(),
            stages: self.stages,
            stage: state.current.as_ref().map(|current| current.progress(now, in_flight, self.duration_s)),
            client: state.client,
        }
    }

    /// The last ten minutes of the stage that is running, second by second.
    pub fn series(&self) -> Vec<Point> {
        self.lock().current.as_ref().map(|current| current.series.points()).unwrap_or_default()
    }

    /// The stages that are over, as they ended; of very many the last.
    pub fn finished(&self) -> Vec<StageProgress> {
        self.lock().finished.iter().cloned().collect()
    }

    /// What the user was warned of; of very many the last.
    pub fn warnings(&self) -> Vec<String> {
        self.lock().warnings.iter().cloned().collect()
    }

    /// Whether the run is over.
    pub fn is_over(&self) -> bool {
        self.lock().over
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep<T>(kept: &mut VecDeque<T>, more: T) {
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back(more);
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;
    use crate::contract::{Failure, FailureKind};
    use std::path::Path;

    fn board(duration_s: Option<f64>) -> Board {
        let board = Board::new(Clock::start(), Arc::default(), Some(3), duration_s);
        board.tell(&Event::RunStarted(Arc::new(sample::run())));
        board.tell(&Event::StageStarted(Arc::new(sample::stage(Path::new("x")))));
        board
    }

    fn settled(board: &Board, record: RequestRecord) {
        board.tell(&Event::RequestSettled(Box::new(record)));
    }

    #[test]
    fn the_figures_so_far_are_those_of_the_records() {
        let board = board(None);
        let mut warmup = sample::success(0, 2);
        warmup.key.warmup = true;
        assert_eq!(board.snapshot().stage.unwrap().phase, Phase::Warmup);
        settled(&board, warmup);
        let first = sample::success(1, 5);
        let mut failed = sample::success(2, 5);
        failed.failure = Some(Failure::new(FailureKind::Connect, "refused"));
        let sent = first.sent.unwrap();
        settled(&board, first.clone());
        settled(&board, failed);
        let snapshot = board.snapshot_at(sent + Nanos::from_s(2.0));
        let stage = snapshot.stage.unwrap();
        assert_eq!((stage.warmup_settled, stage.settled, stage.succeeded, stage.failed), (1, 2, 1, 1));
        assert_eq!(stage.errors, BTreeMap::from([("connect", 1)]));
        assert_eq!((stage.phase, stage.elapsed_s), (Phase::Measuring, 2.0));
        assert_eq!((stage.request_rps, stage.output_tps), (Some(0.5), Some(2.5)));
        assert_eq!(stage.total_tps, Some((1024.0 + 5.0) / 2.0));
        // Two of four are done in two seconds.
        assert_eq!((stage.done_ratio, stage.eta_s), (0.5, Some(2.0)));
        let ttft = stage.ttft_ms.unwrap();
        assert_eq!((ttft.count, ttft.mean), (1, first.ttft_ms.unwrap()));
        assert!((ttft.p99 / ttft.mean - 1.0).abs() < 0.001 && stage.itl_ms.unwrap().count == 4);
        assert_eq!((snapshot.run_id.as_str(), snapshot.stages), ("run-1", Some(3)));
    }

    #[test]
    fn a_duration_ends_a_stage_that_its_number_does_not() {
        let board = board(Some(10.0));
        let first = sample::success(1, 5);
        let sent = first.sent.unwrap();
        settled(&board, first);
        let stage = board.snapshot_at(sent + Nanos::from_s(8.0)).stage.unwrap();
        assert_eq!(stage.done_ratio, 0.8);
        assert!((stage.eta_s.unwrap() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn further_turns_and_attempts_are_not_what_number_counts() {
        let board = board(None);
        let mut later = sample::success(1, 5);
        later.key.turn = 1;
        let mut again = sample::success(2, 5);
        again.key.attempt = 2;
        settled(&board, later);
        settled(&board, again);
        let stage = board.snapshot().stage.unwrap();
        assert_eq!((stage.settled, stage.done_ratio, stage.eta_s), (2, 0.0, None));
    }

    #[test]
    fn a_stage_that_is_over_stays_as_it_ended() {
        let board = board(None);
        settled(&board, sample::success(1, 5));
        let header = Arc::new(sample::stage(Path::new("x")));
        board.tell(&Event::StageFinished(header, Box::new(sample::end(1.0))));
        let now = board.snapshot_at(Nanos::from_s(100.0)).stage.unwrap();
        assert_eq!((now.phase, now.done_ratio, now.eta_s), (Phase::Finished, 1.0, None));
        assert_eq!(board.finished(), [now]);
        board.tell(&Event::RunFinished);
        assert!(board.is_over());
    }
}
