//! What the client knows of its own influence on what it measures, and the verdict on it.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use hdrhistogram::Histogram;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::clock::{Clock, PreciseTimer, cpu_time};
use crate::record::{Activity, ClientHealth, LagSummary};
use crate::units::{Nanos, decimal};

/// A distribution of delays of the client's own, to three digits.
#[derive(Debug, Clone)]
pub(super) struct LagHistogram(Histogram<u64>);

/// Delays above ten minutes are all the same.
const HIGHEST_NS: u64 = 600_000_000_000;

impl LagHistogram {
    pub(super) fn new() -> LagHistogram {
        let histogram = Histogram::new_with_bounds(1, HIGHEST_NS, 3);
        // The bounds are constants, and valid ones: a test makes this histogram.
        LagHistogram(histogram.unwrap_or_else(|_| unreachable!("the bounds of the histogram are valid")))
    }

    pub(super) fn record(&mut self, lag: Nanos) {
        self.record_times(lag, 1);
    }

    /// Records a delay as if it had been seen so many times.
    fn record_times(&mut self, lag: Nanos, times: u64) {
        self.0.saturating_record_n(u64::try_from(lag.0).unwrap_or(0).max(1), times);
    }

    pub(super) fn add(&mut self, other: &LagHistogram) {
        // It fails only for a value out of bounds, and both have the same.
        let _ = self.0.add(&other.0);
    }

    fn summary(&self) -> Option<LagSummary> {
        let ms = |ns: u64| ns as f64 / 1e6;
        (!self.0.is_empty()).then(|| LagSummary {
            p50_ms: ms(self.0.value_at_quantile(0.5)),
            p99_ms: ms(self.0.value_at_quantile(0.99)),
            max_ms: ms(self.0.max()),
        })
    }
}

impl Default for LagHistogram {
    fn default() -> LagHistogram {
        LagHistogram::new()
    }
}

/// Requests that were due before they were ready, and how long slots waited for them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Starved {
    pub(super) requests: u64,
    pub(super) waited: Nanos,
}

/// What one worker measured of itself in a phase.
#[derive(Debug, Clone, Default)]
pub(super) struct WorkerReport {
    pub(super) loop_lag: LagHistogram,
    pub(super) cpu: Nanos,
    pub(super) elapsed: Nanos,
    pub(super) starved: Starved,
}

/// How often a worker's event loop is asked how late it is,
const PROBE_EVERY: Nanos = Nanos(25_000_000);
/// how often at first, so that a short stage can be judged,
const FIRST_PROBES_EVERY: Nanos = Nanos(10_000_000);
/// and how often one that has next to nothing to do and is on time. There each question wakes a core
/// that would sleep, and is as much work as a token.
const RESTING_PROBES_EVERY: Nanos = Nanos(100_000_000);
/// How many questions are asked at first.
const FIRST_PROBES: u32 = 50;
/// How many answers in a row must be those of a loop that rests: a second's worth.
const QUIET_PROBES: u32 = 40;
/// What a worker that rests uses of a core,
const RESTING_SHARE: f64 = 0.01;
/// and how late its event loop is at most.
const RESTING_LATE: Nanos = Nanos(500_000);
/// Waits are longer or shorter by up to this share, so that they cannot keep step with what makes a loop
/// late: a quota of the processor, for one, is given out ten times a second.
const JITTER: f64 = 0.3;

/// When a worker's event loop is asked next how late it is.
struct Probes {
    asked: u32,
    /// Answers in a row that were those of a loop that rests.
    quiet: u32,
    jitter: Xoshiro256PlusPlus,
}

impl Probes {
    /// Those of a worker. Each has waits of its own, so that they are not all asked in the same moments.
    fn new(worker: u32) -> Probes {
        Probes { asked: 0, quiet: 0, jitter: Xoshiro256PlusPlus::seed_from_u64(worker.into()) }
    }

    /// Notes that the loop was `late` and used `cpu` in the `elapsed` time since it was asked before.
    fn note(&mut self, late: Nanos, cpu: Nanos, elapsed: Nanos) {
        let first = self.asked < FIRST_PROBES;
        self.asked = self.asked.saturating_add(1);
        let rests = !first && late <= RESTING_LATE && cpu.as_s() < RESTING_SHARE * elapsed.as_s();
        self.quiet = if rests { self.quiet.saturating_add(1) } else { 0 };
    }

    /// How long the next wait is on average.
    fn every(&self) -> Nanos {
        if self.asked < FIRST_PROBES {
            FIRST_PROBES_EVERY
        } else if self.quiet >= QUIET_PROBES {
            RESTING_PROBES_EVERY
        } else {
            PROBE_EVERY
        }
    }

    fn next_wait(&mut self) -> Nanos {
        let share = self.jitter.random_range(1.0 - JITTER..1.0 + JITTER);
        Nanos::from_ms(self.every().as_ms() * share)
    }

    /// Records that a loop which is asked every so often was `late`. All moments count alike, however often
    /// it was asked, those too in which it would have been asked had it not stood still: a read would have
    /// waited for the rest of the time.
    fn record(late: Nanos, every: Nanos, lag: &mut LagHistogram) {
        /// It divides all of the intervals.
        const UNIT: Nanos = Nanos(5_000_000);
        let times = every.0.unsigned_abs() / UNIT.0.unsigned_abs();
        lag.record_times(late, times);
        let mut rest = late - every;
        while rest.0 > 0 {
            lag.record_times(rest, times);
            rest = rest - every;
        }
    }
}

/// Notes, again and again, how much later than asked the event loop runs a timer: what any read on
/// that loop may have been late by. It ends when it is aborted.
pub(super) async fn watch_loop(
    worker: u32,
    clock: Clock,
    lag: Rc<RefCell<LagHistogram>>,
    activity: Arc<Activity>,
) -> io::Result<()> {
    let mut timer = PreciseTimer::new(clock)?;
    let mut probes = Probes::new(worker);
    let (mut now, mut cpu) = (clock.now(), thread_cpu());
    loop {
        let every = probes.every();
        let due = now + probes.next_wait();
        timer.wait_until(due).await?;
        let (before, cpu_before) = (now, cpu);
        (now, cpu) = (clock.now(), thread_cpu());
        let late = now - due;
        Probes::record(late, every, &mut lag.borrow_mut());
        activity.note_loop_lag(late);
        probes.note(late, cpu - cpu_before, now - before);
    }
}

/// CPU time of the calling thread.
pub(super) fn thread_cpu() -> Nanos {
    cpu_time(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// CPU time of the whole process.
pub(super) fn process_cpu() -> Nanos {
    cpu_time(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// What a stage adds up to, before it is judged.
#[derive(Debug, Default)]
pub(super) struct Vitals {
    pub(super) dispatch_lag: LagHistogram,
    /// How late reads were, where the kernel stamped what they read.
    pub(super) stamp_lag: LagHistogram,
    pub(super) workers: Vec<WorkerReport>,
    pub(super) process_cpu: Nanos,
    pub(super) elapsed: Nanos,
    /// Cores that the process may run on; 0 if that is not known.
    pub(super) cores: usize,
    /// Requests of the measured phase.
    pub(super) requests: u64,
    /// Those of them that succeeded.
    pub(super) succeeded: u64,
}

/// Above this share of a core a worker, and above this share of its cores the process, has no room
/// left for being on time.
const BUSY_PERCENT: f64 = 90.0;
/// Above this, a late event loop is worth a warning, in milliseconds.
const LATE_MS: f64 = 5.0;
/// Above this share of requests, starvation has shaped the load.
const STARVED_SHARE: f64 = 0.01;

impl Vitals {
    /// The figures and the verdict.
    ///
    /// Times are trusted to the 99th percentile of the event loop's lag: a frame is read at the
    /// earliest when the loop gets to it, so that is how late its stamp may be.
    pub(super) fn judge(&self) -> ClientHealth {
        let mut loop_lag = LagHistogram::new();
        for worker in &self.workers {
            loop_lag.add(&worker.loop_lag);
        }
        let percent =
            |cpu: Nanos, elapsed: Nanos| (elapsed.0 > 0).then(|| cpu.as_s() / elapsed.as_s() * 100.0);
        let worker_cpu_percent = self
            .workers
            .iter()
            .filter_map(|worker| percent(worker.cpu, worker.elapsed))
            .max_by(f64::total_cmp);
        let starved: u64 = self.workers.iter().map(|worker| worker.starved.requests).sum();
        let starved_ms: f64 = self.workers.iter().map(|worker| worker.starved.waited.as_ms()).sum();
        let loop_lag = loop_lag.summary();
        let trust_ms = loop_lag.map(|lag| lag.p99_ms);

        let mut reasons = Vec::new();
        if let Some(percent) = worker_cpu_percent.filter(|&percent| percent > BUSY_PERCENT) {
            reasons.push(format!(
                "its busiest worker used {} % of a core; raise --workers or lower the load",
                decimal(percent, 0)
            ));
        }
        let cpu_percent = percent(self.process_cpu, self.elapsed);
        let whole = self.cores as f64 * BUSY_PERCENT;
        if let Some(percent) =
            cpu_percent.filter(|&percent| reasons.is_empty() && 0.0 < whole && percent > whole)
        {
            reasons.push(format!(
                "it used {} % of the {} % that its cores have to give; give it more cores or lower the load",
                decimal(percent, 0),
                self.cores * 100
            ));
        }
        if let Some(late) = trust_ms.filter(|&late| late > LATE_MS) {
            reasons.push(format!(
                "its event loop ran up to {} ms late; free the machine's cores for it",
                decimal(late, 2)
            ));
        }
        if self.requests > 0 && starved as f64 / self.requests as f64 > STARVED_SHARE {
            reasons.push(format!(
                "{starved} of {} requests were not ready when they were due; the dataset or the API's shaping is too slow",
                self.requests
            ));
        }
        let client_limited = !reasons.is_empty();
        let verdict = match (client_limited, trust_ms) {
            (true, _) => format!("the client was a limit: {}", reasons.join("; ")),
            (false, Some(trust)) => format!("times are trusted to ± {} ms", decimal(trust, 3)),
            (false, None) => "the stage was too short to judge the client".to_string(),
        };
        ClientHealth {
            dispatch_lag: self.dispatch_lag.summary(),
            loop_lag,
            stamp_lag: self.stamp_lag.summary(),
            cpu_percent,
            worker_cpu_percent,
            starved,
            starved_ms,
            trust_ms,
            client_limited,
            verdict,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(lag_ms: f64, cpu_percent: f64, starved: u64) -> WorkerReport {
        let mut loop_lag = LagHistogram::new();
        for _ in 0..100 {
            loop_lag.record(Nanos::from_ms(lag_ms));
        }
        WorkerReport {
            loop_lag,
            cpu: Nanos::from_ms(10.0 * cpu_percent),
            elapsed: Nanos::from_s(1.0),
            starved: Starved { requests: starved, waited: Nanos::from_ms(7.0) },
        }
    }

    fn judged(worker: WorkerReport) -> ClientHealth {
        Vitals { workers: vec![worker], requests: 100, elapsed: Nanos::from_s(1.0), ..Vitals::default() }
            .judge()
    }

    #[test]
    fn a_quiet_client_is_trusted_to_its_loop_lag() {
        let health = judged(worker(0.125, 20.0, 0));
        assert!(!health.client_limited);
        assert_eq!(health.verdict, "times are trusted to ± 0.125 ms");
        assert_eq!(health.worker_cpu_percent, Some(20.0));
    }

    #[test]
    fn each_way_of_being_the_limit_is_named() {
        assert!(judged(worker(0.1, 95.0, 0)).verdict.contains("used 95 % of a core"));
        assert!(judged(worker(30.0, 20.0, 0)).verdict.contains("ms late"));
        let starved = judged(worker(0.1, 20.0, 2));
        assert!(starved.client_limited && starved.verdict.contains("2 of 100 requests were not ready"));
        assert_eq!(starved.starved_ms, 7.0);
    }

    #[test]
    fn a_process_that_needs_all_its_cores_is_a_limit() {
        let health = |cores| {
            let (process_cpu, elapsed) = (Nanos::from_s(0.95), Nanos::from_s(1.0));
            Vitals { cores, process_cpu, elapsed, workers: vec![worker(0.1, 60.0, 0)], ..Vitals::default() }
                .judge()
        };
        assert!(health(1).client_limited);
        assert!(health(1).verdict.contains("it used 95 % of the 100 % that its cores have to give"));
        assert!(!health(2).client_limited && !health(0).client_limited);
    }

    #[test]
    fn a_loop_that_is_busy_or_late_is_asked_more_often_than_one_that_rests() {
        let ms = Nanos::from_ms;
        let mut probes = Probes::new(0);
        let mut note = |times, late, cpu| {
            (0..times).for_each(|_| probes.note(ms(late), ms(cpu), ms(100.0)));
            probes.every().as_ms()
        };
        assert_eq!(note(49, 0.1, 0.9), 10.0);
        assert_eq!(note(1, 0.1, 0.9), 25.0);
        assert_eq!(note(39, 0.1, 0.9), 25.0);
        assert_eq!(note(1, 0.1, 0.9), 100.0);
        for (late, cpu) in [(0.6, 0.9), (0.1, 1.1)] {
            assert_eq!(note(1, late, cpu), 25.0);
            assert_eq!(note(40, 0.1, 0.9), 100.0);
        }
    }

    /// What is recorded in ten minutes of a loop that has next to nothing to do and stands still for the last
    /// `still_ms` of every period: the share of moments that waited more than half a millisecond, and whether
    /// the loop ever rested.
    fn standing_still(still_ms: f64, period_ms: f64) -> (f64, bool) {
        let (mut probes, mut lag, mut rested) = (Probes::new(0), LagHistogram::new(), false);
        let mut now = Nanos::from_ms(30.0);
        while now < Nanos::from_s(600.0) {
            let every = probes.every();
            rested |= every == RESTING_PROBES_EVERY;
            let due = now + probes.next_wait();
            let left_ms = period_ms - due.as_ms() % period_ms;
            let late = Nanos::from_ms(if left_ms > still_ms { 0.0 } else { left_ms });
            Probes::record(late, every, &mut lag);
            probes.note(late, Nanos::ZERO, due + late - now);
            now = due + late;
        }
        (1.0 - lag.0.quantile_below(RESTING_LATE.0 as u64), rested)
    }

    #[test]
    fn every_moment_counts_alike_whether_the_loop_rests_or_stands_still() {
        for (still_ms, period_ms, rests) in
            [(5.0, 100.0, true), (40.0, 100.0, false), (400.0, 1000.0, false), (1000.0, 30_000.0, true)]
        {
            let (late, rested) = standing_still(still_ms, period_ms);
            let truth = (still_ms - 0.5) / period_ms;
            assert!((late / truth - 1.0).abs() < 0.25, "{still_ms} of {period_ms} ms: {late}, not {truth}");
            assert_eq!(rested, rests, "{still_ms} of {period_ms} ms");
        }
    }

    #[test]
    fn nothing_measured_is_nothing_said() {
        let health = Vitals::default().judge();
        assert_eq!((health.trust_ms, health.cpu_percent, health.dispatch_lag), (None, None, None));
        assert_eq!(health.verdict, "the stage was too short to judge the client");
    }
}
