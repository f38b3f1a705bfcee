//! How much load, how it arrives, and for how long.

use serde::Serialize;

use super::Problem;
use crate::engine::schedule::{ArrivalSpec, RateProfile, Spacing};
use crate::record::GoodputTarget;

/// When requests that are given up on purpose are, unless somebody says, in seconds.
pub const CANCEL_AFTER_S: f64 = 1.0;

/// Warm-up requests before each stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Warmup {
    /// This many.
    Count(u64),
    /// This share of the stage's number, at least one.
    Ratio(f64),
}

impl Warmup {
    /// Warm-up requests for a stage of `number`.
    pub fn of(self, number: u64) -> u64 {
        match self {
            Warmup::Count(count) => count,
            Warmup::Ratio(ratio) => ((number as f64 * ratio) as u64).max(1),
        }
    }
}

/// How the gaps between paced arrivals vary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    /// Independent arrivals: exponential gaps.
    Poisson,
    /// Equal gaps.
    Constant,
    /// Gamma-distributed gaps, as bursty as --burstiness says.
    Gamma,
}

/// How the rate of arrivals changes during a stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RateChange {
    /// Linearly, from one rate to another within so many seconds.
    Ramp {
        /// The first rate, in requests per second.
        from_rps: f64,
        /// The last rate.
        to_rps: f64,
        /// How long the change takes.
        duration_s: f64,
    },
    /// In steps: each rate for so many seconds.
    Steps(Vec<(f64, f64)>),
}

impl RateChange {
    /// Reads `FROM:TO:SECONDS`.
    pub fn ramp(text: &str) -> Option<RateChange> {
        let [from_rps, to_rps, duration_s] = numbers(text)?[..] else { return None };
        let sound = from_rps >= 0.0 && to_rps > 0.0 && duration_s > 0.0;
        sound.then_some(RateChange::Ramp { from_rps, to_rps, duration_s })
    }

    /// Reads one `RATE:SECONDS` for each step.
    pub fn steps(texts: &[String]) -> Option<RateChange> {
        let step = |text: &String| match numbers(text)?[..] {
            [rps, duration_s] if rps > 0.0 && duration_s > 0.0 => Some((rps, duration_s)),
            _ => None,
        };
        texts.iter().map(step).collect::<Option<Vec<_>>>().map(RateChange::Steps)
    }

    fn last_rps(&self) -> f64 {
        match self {
            RateChange::Ramp { to_rps, .. } => *to_rps,
            RateChange::Steps(steps) => steps.last().map_or(0.0, |&(rps, _)| rps),
        }
    }
}

fn numbers(text: &str) -> Option<Vec<f64>> {
    text.split(':').map(|number| number.parse().ok().filter(|number: &f64| number.is_finite())).collect()
}

/// How much load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadConfig {
    /// Requests in flight at a time in a closed loop; one stage each.
    pub parallel: Vec<u32>,
    /// Requests of each stage, warm-up excluded.
    pub number: Vec<u64>,
    /// Whether that was asked for: else a recording is replayed as a whole.
    pub number_given: bool,
    /// Whether arrivals do not wait for answers.
    pub open_loop: bool,
    /// Paced arrivals in requests per second: one for a closed loop, one for each stage of an open
    /// one. Empty if arrivals are not paced, or the dataset says when they are.
    pub rates_rps: Vec<f64>,
    /// How the gaps between paced arrivals vary.
    pub arrival: Arrival,
    /// The shape of gamma-distributed gaps.
    pub burstiness: f64,
    /// How the rate changes during each stage; it replaces the rates.
    pub rate_change: Option<RateChange>,
    /// The most requests of an open loop in flight.
    pub max_concurrency: Option<u32>,
    /// Warm-up before each stage.
    pub warmup: Warmup,
    /// When a stage stops starting requests, in seconds.
    pub duration_s: Option<f64>,
    /// Rest between stages, in seconds.
    pub sleep_interval_s: f64,
    /// How often a failed request is tried again.
    pub retries: u32,
    /// The share of requests that the client gives up on purpose.
    pub cancel_rate: f64,
    /// When it does, in seconds after they were sent.
    pub cancel_after_s: f64,
    /// What makes a request a good one.
    pub goodput: Vec<GoodputTarget>,
    /// Threads that send and read; `None` to choose by the machine and the load.
    pub workers: Option<u32>,
}

/// The load of one stage.
#[derive(Debug, Clone, PartialEq)]
pub struct StageLoad {
    /// Its name, which is that of its folder.
    pub name: String,
    /// Requests in flight at a time; `None` for an open loop.
    pub parallel: Option<u32>,
    /// The rate that names it, in requests per second.
    pub rate_rps: Option<f64>,
    /// Requests, warm-up excluded.
    pub number: u64,
}

impl LoadConfig {
    /// The stages in order.
    pub fn stages(&self) -> Vec<StageLoad> {
        let numbers = self.number.iter().enumerate();
        let stage = |(index, &number): (usize, &u64)| {
            let parallel = (!self.open_loop).then(|| self.parallel[index]);
            let rate_rps = match &self.rate_change {
                Some(change) => Some(change.last_rps()),
                None if self.open_loop => self.rates_rps.get(index).copied(),
                None => self.rates_rps.first().copied(),
            };
            let load = match (parallel, &self.rate_change, rate_rps) {
                (Some(parallel), ..) => format!("parallel_{parallel}"),
                (None, Some(RateChange::Ramp { from_rps, to_rps, .. }), _) => {
                    format!("ramp_{from_rps}_{to_rps}")
                }
                (None, Some(RateChange::Steps(steps)), _) => format!("steps_{}", steps.len()),
                (None, None, Some(rate)) => format!("rate_{rate}"),
                (None, None, None) => "recorded".to_string(),
            };
            StageLoad { name: format!("{load}_number_{number}"), parallel, rate_rps, number }
        };
        numbers.map(stage).collect()
    }

    /// How the arrivals of a stage come about.
    pub fn arrivals(&self, rate_rps: Option<f64>) -> ArrivalSpec {
        let spacing = match self.arrival {
            Arrival::Poisson => Spacing::Poisson,
            Arrival::Constant => Spacing::Constant,
            Arrival::Gamma => Spacing::Gamma { burstiness: self.burstiness },
        };
        let rate = match (&self.rate_change, rate_rps) {
            (Some(RateChange::Ramp { from_rps, to_rps, duration_s }), _) => {
                RateProfile::ramp(*from_rps, *to_rps, *duration_s)
            }
            (Some(RateChange::Steps(steps)), _) => RateProfile::steps(steps),
            (None, Some(rate_rps)) => RateProfile::constant(rate_rps),
            (None, None) if self.open_loop => return ArrivalSpec::Recorded,
            (None, None) => return ArrivalSpec::Unpaced,
        };
        ArrivalSpec::Paced { spacing, rate }
    }

    /// What is wrong with the list of stages.
    pub(super) fn stage_problems(&self, problems: &mut Vec<Problem>) {
        let mut wrong = |flag, message: String| problems.push(Problem::new(flag, message));
        let LoadConfig { parallel, number, rates_rps, .. } = self;
        if self.open_loop {
            if !rates_rps.is_empty() && self.rate_change.is_none() && rates_rps.len() != number.len() {
                let text = "in open-loop mode the length of --number and --rate must match, but got number: ";
                wrong(
                    "--rate",
                    format!("{text}{number:?} and rate: {rates_rps:?}; give one --number for each --rate"),
                );
            }
        } else {
            if parallel.len() != number.len() {
                let text = "the length of number and parallel should be the same, but got number: ";
                wrong(
                    "--parallel",
                    format!(
                        "{text}{number:?} and parallel: {parallel:?}; give one --number for each --parallel"
                    ),
                );
            }
            if rates_rps.len() > 1 {
                let text = "takes one value in a closed loop, but got";
                wrong("--rate", format!("{text} {rates_rps:?}; add --open-loop to sweep over rates"));
            }
        }
        if parallel.contains(&0) {
            wrong("--parallel", "each value must be at least 1".into());
        }
        if number.contains(&0) {
            wrong("--number", "each value must be at least 1".into());
        }
    }

    /// What is wrong with the rest.
    pub(super) fn problems(&self, problems: &mut Vec<Problem>) {
        let mut wrong = |flag, message: String| problems.push(Problem::new(flag, message));
        if self.max_concurrency.is_some() && !self.open_loop {
            wrong("--max-concurrency", "needs --open-loop; in a closed loop --parallel is the limit".into());
        }
        if self.rate_change.is_some() && !self.rates_rps.is_empty() {
            wrong("--rate", "does not go with --ramp or --steps, which set the rate; leave one out".into());
        }
        if self.max_concurrency == Some(0) {
            wrong("--max-concurrency", "must be at least 1".into());
        }
        for rate in self.rates_rps.iter().filter(|&&rate| !(rate > 0.0 && rate.is_finite())) {
            wrong(
                "--rate",
                format!("must be more than 0 requests per second, or -1 for no pacing, but got {rate}"),
            );
        }
        if !(self.burstiness > 0.0 && self.burstiness.is_finite()) {
            wrong("--burstiness", format!("must be more than 0, but got {}", self.burstiness));
        } else if self.burstiness != 1.0 && self.arrival != Arrival::Gamma {
            wrong("--burstiness", "needs --arrival gamma; add it".into());
        }
        if !(0.0..=1.0).contains(&self.cancel_rate) {
            wrong("--cancel-rate", format!("must be a share from 0 to 1, but got {}", self.cancel_rate));
        }
        if self.cancel_after_s != CANCEL_AFTER_S && self.cancel_rate == 0.0 {
            wrong(
                "--cancel-after",
                "needs --cancel-rate, the share of requests that it is for; add it".into(),
            );
        }
        /// More warm-up than any run lives to see the end of.
        const ENDLESS: u64 = 1 << 50;
        match self.warmup {
            Warmup::Count(count) if count > ENDLESS => {
                wrong("--warmup-num", format!("must be a count that comes to an end, but got {count}"));
            }
            Warmup::Ratio(ratio) if !(ratio > 0.0 && ratio < 1.0) => {
                wrong(
                    "--warmup-num",
                    format!("must be a count, or a ratio between 0 and 1, but got {ratio}"),
                );
            }
            _ => {}
        }
        if !(0.0..=1e9).contains(&self.sleep_interval_s) {
            wrong(
                "--sleep-interval",
                format!("must be 0 seconds or more, but got {}", self.sleep_interval_s),
            );
        }
        if self.workers == Some(0) {
            wrong("--workers", "must be at least 1".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ramps_and_steps_are_read_and_nonsense_is_not() {
        let ramp = RateChange::Ramp { from_rps: 10.0, to_rps: 100.0, duration_s: 60.0 };
        assert_eq!(RateChange::ramp("10:100:60"), Some(ramp));
        for wrong in ["10:100", "10:0:5", "a:b:c", "1:2:nan", "-1:5:5"] {
            assert_eq!(RateChange::ramp(wrong), None, "{wrong}");
        }
        let texts = ["10:30".to_string(), "50:5".to_string()];
        assert_eq!(RateChange::steps(&texts), Some(RateChange::Steps(vec![(10.0, 30.0), (50.0, 5.0)])));
        assert_eq!(RateChange::steps(&["10".to_string()]), None);
    }

    /// `test_perf_report_loader.py`: which load a stage's folder is of. There a recording is of
    /// `rate_-1.0`, whatever its length; here it says what it is, and rates are as they were written.
    #[test]
    fn the_folder_of_a_stage_names_its_load_and_its_number() {
        let names = |load: LoadConfig| load.stages().into_iter().map(|stage| stage.name).collect::<Vec<_>>();
        let closed = LoadConfig { parallel: vec![2, 10], number: vec![5, 50], ..testing() };
        assert_eq!(names(closed), ["parallel_2_number_5", "parallel_10_number_50"]);
        let open = LoadConfig { open_loop: true, number: vec![4, 30], ..testing() };
        let rates = LoadConfig { rates_rps: vec![1.5, 5.0], ..open.clone() };
        assert_eq!(names(rates), ["rate_1.5_number_4", "rate_5_number_30"]);
        assert_eq!(names(open), ["recorded_number_4", "recorded_number_30"]);
    }

    fn testing() -> LoadConfig {
        LoadConfig {
            parallel: Vec::new(),
            number: Vec::new(),
            number_given: true,
            open_loop: false,
            rates_rps: Vec::new(),
            arrival: Arrival::Poisson,
            burstiness: 1.0,
            rate_change: None,
            max_concurrency: None,
            warmup: Warmup::Count(0),
            duration_s: None,
            sleep_interval_s: 0.0,
            retries: 0,
            cancel_rate: 0.0,
            cancel_after_s: 1.0,
            goodput: Vec::new(),
            workers: None,
        }
    }
}
