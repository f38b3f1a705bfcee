//! When requests are due. Pure: the same specification and seed give the same times, and no clock
//! is looked at. One schedule serves the whole stage and is dealt to the workers, since workers
//! that each draw their own arrivals do not add up to the process that was asked for.

use rand::SeedableRng;
use rand_distr::{Distribution, Exp};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::units::Nanos;

/// How the arrivals of a stage are spaced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ArrivalSpec {
    /// Not at all: a request is due when a slot is free for it.
    Unpaced,
    /// A Poisson process of this many arrivals a second; more than 0 and finite.
    Poisson {
        /// Arrivals per second.
        rate_rps: f64,
    },
}

/// The due times of a stage, relative to its start, without end.
#[derive(Debug, Clone)]
pub struct Schedule {
    gaps: Option<(Exp<f64>, Xoshiro256PlusPlus)>,
    at_s: f64,
}

impl Schedule {
    /// The schedule that `spec` describes, drawn from `seed`.
    pub fn new(spec: ArrivalSpec, seed: u64) -> Schedule {
        let gaps = match spec {
            ArrivalSpec::Unpaced => None,
            ArrivalSpec::Poisson { rate_rps } => Exp::new(rate_rps).ok(),
        };
        Schedule { gaps: gaps.map(|gaps| (gaps, Xoshiro256PlusPlus::seed_from_u64(seed))), at_s: 0.0 }
    }

    /// The due time of the next request; `None` if requests are not paced.
    pub fn next_due(&mut self) -> Option<Nanos> {
        let (gaps, random) = self.gaps.as_mut()?;
        self.at_s += gaps.sample(random);
        Some(Nanos::from_s(self.at_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn times(rate_rps: f64, seed: u64, count: usize) -> Vec<Nanos> {
        let mut schedule = Schedule::new(ArrivalSpec::Poisson { rate_rps }, seed);
        (0..count).map(|_| schedule.next_due().unwrap()).collect()
    }

    #[test]
    fn an_unpaced_stage_has_no_due_times() {
        assert_eq!(Schedule::new(ArrivalSpec::Unpaced, 1).next_due(), None);
    }

    /// For a Poisson process the gaps' standard deviation equals their mean, and a fixed share of
    /// them, 1 − 1/e, is below the mean.
    #[test]
    fn arrivals_are_poisson() {
        let count = 100_000;
        let times = times(50.0, 7, count);
        let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_s()).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        let below = gaps.iter().filter(|&&gap| gap < mean).count() as f64 / gaps.len() as f64;
        assert!((mean * 50.0 - 1.0).abs() < 0.02, "mean gap {mean}");
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.02, "deviation {}", variance.sqrt() / mean);
        assert!((below - 0.632).abs() < 0.01, "share below the mean {below}");
    }

    proptest! {
        #[test]
        fn times_rise_and_depend_on_nothing_but_the_seed(rate in 0.01_f64..1e5, seed: u64) {
            let once = times(rate, seed, 50);
            prop_assert!(once.is_sorted());
            prop_assert!(once[0] >= Nanos::ZERO);
            prop_assert_eq!(&once, &times(rate, seed, 50));
            prop_assert_ne!(&once, &times(rate, seed.wrapping_add(1), 50));
        }
    }
}
