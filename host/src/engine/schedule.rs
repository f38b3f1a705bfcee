//! When requests are due. Pure: the same specification and seed give the same times, and no clock
//! is looked at. One schedule serves the whole stage and is dealt to the workers, since workers
//! that each draw their own arrivals do not add up to the process that was asked for.

use rand::SeedableRng;
use rand_distr::{Distribution, Exp1, Gamma};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::units::Nanos;

/// How the arrivals of a stage come about.
#[derive(Debug, Clone, PartialEq)]
pub enum ArrivalSpec {
    /// A request is due when a slot is free for it.
    Unpaced,
    /// The dataset says when each of its conversations arrives.
    Recorded,
    /// Arrivals at a rate that may change over time.
    Paced {
        /// How the gaps between arrivals vary.
        spacing: Spacing,
        /// The rate over time.
        rate: RateProfile,
    },
}

/// How the gaps between arrivals vary around their mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spacing {
    /// Every gap is the mean.
    Constant,
    /// Exponential gaps: arrivals that do not know of each other.
    Poisson,
    /// Gamma-distributed gaps.
    Gamma {
        /// The shape of the distribution, more than 0: 1 is Poisson, less comes in bursts, more is
        /// more regular.
        burstiness: f64,
    },
}

/// A rate of arrivals over time: segments in which it changes linearly. It stays at its last value.
#[derive(Debug, Clone, PartialEq)]
pub struct RateProfile {
    segments: Vec<Segment>,
    last_rps: f64,
}

/// A part of a profile.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Segment {
    duration_s: f64,
    from_rps: f64,
    to_rps: f64,
}

impl RateProfile {
    /// The same rate all the time, in arrivals per second; more than 0.
    pub fn constant(rate_rps: f64) -> RateProfile {
        RateProfile { segments: Vec::new(), last_rps: rate_rps }
    }

    /// From one rate to another within `duration_s` seconds, and then that.
    pub fn ramp(from_rps: f64, to_rps: f64, duration_s: f64) -> RateProfile {
        RateProfile { segments: vec![Segment { duration_s, from_rps, to_rps }], last_rps: to_rps }
    }

    /// Each rate for its seconds, and then the last.
    pub fn steps(steps: &[(f64, f64)]) -> RateProfile {
        let segment = |&(rps, duration_s): &(f64, f64)| Segment { duration_s, from_rps: rps, to_rps: rps };
        RateProfile {
            segments: steps.iter().map(segment).collect(),
            last_rps: steps.last().map_or(1.0, |&(rps, _)| rps),
        }
    }

    /// The time in seconds by which `arrivals` arrivals are expected: where the integral of the rate reaches
    /// them. A process of unit rate, mapped through it, has this rate.
    pub fn time_of(&self, mut arrivals: f64) -> f64 {
        let mut elapsed_s = 0.0;
        for segment in &self.segments {
            let Segment { duration_s, from_rps, to_rps } = *segment;
            let expected = (from_rps + to_rps) / 2.0 * duration_s;
            if arrivals < expected {
                return elapsed_s + segment.time_of(arrivals);
            }
            arrivals -= expected;
            elapsed_s += duration_s;
        }
        elapsed_s + arrivals / self.last_rps
    }
}

impl Segment {
    /// Solves from·t + (to − from)·t² ÷ (2·duration) = arrivals for t.
    fn time_of(&self, arrivals: f64) -> f64 {
        let slope = (self.to_rps - self.from_rps) / self.duration_s;
        // This form of the root stays exact where the slope is small.
        2.0 * arrivals / (self.from_rps + (self.from_rps * self.from_rps + 2.0 * slope * arrivals).sqrt())
    }
}

/// The due times of a stage, relative to its start, without end.
#[derive(Debug, Clone)]
pub struct Schedule {
    paced: Option<(Spacing, RateProfile)>,
    random: Xoshiro256PlusPlus,
    arrivals: f64,
}

impl Schedule {
    /// The schedule that `spec` describes, drawn from `seed`.
    pub fn new(spec: &ArrivalSpec, seed: u64) -> Schedule {
        let paced = match spec {
            ArrivalSpec::Unpaced | ArrivalSpec::Recorded => None,
            ArrivalSpec::Paced { spacing, rate } => Some((*spacing, rate.clone())),
        };
        Schedule { paced, random: Xoshiro256PlusPlus::seed_from_u64(seed), arrivals: 0.0 }
    }

    /// The due time of the next request; `None` if requests are not paced by a rate.
    pub fn next_due(&mut self) -> Option<Nanos> {
        let (spacing, rate) = self.paced.as_ref()?;
        self.arrivals += spacing.gap(&mut self.random);
        Some(Nanos::from_s(rate.time_of(self.arrivals)))
    }
}

impl Spacing {
    /// A gap with the mean 1.
    fn gap(self, random: &mut Xoshiro256PlusPlus) -> f64 {
        match self {
            Spacing::Constant => 1.0,
            Spacing::Poisson => Exp1.sample(random),
            Spacing::Gamma { burstiness } => {
                Gamma::new(burstiness, 1.0 / burstiness).map_or(1.0, |gaps| gaps.sample(random))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn times(spacing: Spacing, rate: RateProfile, seed: u64, count: usize) -> Vec<Nanos> {
        let mut schedule = Schedule::new(&ArrivalSpec::Paced { spacing, rate }, seed);
        (0..count).map(|_| schedule.next_due().unwrap()).collect()
    }

    fn gaps_s(times: &[Nanos]) -> Vec<f64> {
        times.windows(2).map(|pair| (pair[1] - pair[0]).as_s()).collect()
    }

    /// The mean, and the standard deviation as a share of it.
    fn mean_and_variation(gaps: &[f64]) -> (f64, f64) {
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        (mean, variance.sqrt() / mean)
    }

    #[test]
    fn an_unpaced_stage_has_no_due_times() {
        assert_eq!(Schedule::new(&ArrivalSpec::Unpaced, 1).next_due(), None);
        assert_eq!(Schedule::new(&ArrivalSpec::Recorded, 1).next_due(), None);
    }

    /// The gaps of a Poisson process are exponential: no part of their distribution is further from
    /// 1 − e^(−rate·gap) than chance allows (Kolmogorov and Smirnov, at the 0.1 % level).
    #[test]
    fn poisson_arrivals_pass_the_kolmogorov_smirnov_test() {
        let count = 100_000;
        let mut gaps = gaps_s(&times(Spacing::Poisson, RateProfile::constant(50.0), 7, count + 1));
        gaps.sort_unstable_by(f64::total_cmp);
        let furthest = gaps
            .iter()
            .enumerate()
            .map(|(rank, gap)| {
                let expected = 1.0 - (-50.0 * gap).exp();
                (expected - rank as f64 / count as f64)
                    .abs()
                    .max((expected - (rank + 1) as f64 / count as f64).abs())
            })
            .fold(0.0, f64::max);
        assert!(furthest * (count as f64).sqrt() < 1.95, "distance {furthest}");
    }

    /// Counted in windows, Poisson arrivals have a variance equal to their mean.
    #[test]
    fn the_index_of_dispersion_of_poisson_arrivals_is_one() {
        let times = times(Spacing::Poisson, RateProfile::constant(100.0), 3, 200_000);
        let windows = times.last().unwrap().as_s() as usize;
        let mut counts = vec![0_f64; windows];
        for at in &times {
            if let Some(count) = counts.get_mut(at.as_s() as usize) {
                *count += 1.0;
            }
        }
        let (mean, variation) = mean_and_variation(&counts);
        let dispersion = (variation * mean).powi(2) / mean;
        assert!((dispersion - 1.0).abs() < 0.1, "dispersion {dispersion}");
    }

    #[test]
    fn constant_arrivals_have_equal_gaps_and_gamma_gaps_vary_as_asked() {
        let constant = times(Spacing::Constant, RateProfile::constant(8.0), 1, 5);
        assert_eq!(constant, [125, 250, 375, 500, 625].map(|ms| Nanos::from_ms(f64::from(ms))));
        for burstiness in [0.25, 1.0, 4.0] {
            let times = times(Spacing::Gamma { burstiness }, RateProfile::constant(20.0), 5, 100_000);
            let (mean, variation) = mean_and_variation(&gaps_s(&times));
            assert!((mean * 20.0 - 1.0).abs() < 0.02, "mean {mean}");
            // The coefficient of variation of a gamma distribution is 1 ÷ √shape.
            assert!((variation * burstiness.sqrt() - 1.0).abs() < 0.03, "variation {variation}");
        }
    }

    #[test]
    fn a_ramp_and_steps_have_as_many_arrivals_as_the_area_under_them() {
        let ramp = times(Spacing::Constant, RateProfile::ramp(0.0, 100.0, 10.0), 1, 1000);
        // 0 to 100 in 10 s: 500 arrivals in the ramp, 125 of them in its first half.
        assert_eq!(ramp.iter().filter(|at| at.as_s() <= 5.000_001).count(), 125);
        assert_eq!(ramp.iter().filter(|at| at.as_s() <= 10.000_001).count(), 500);
        assert!((ramp[999].as_s() - 15.0).abs() < 1e-6, "then 100 a second");
        let steps = times(Spacing::Constant, RateProfile::steps(&[(10.0, 2.0), (50.0, 1.0)]), 1, 120);
        assert_eq!(steps.iter().filter(|at| at.as_s() <= 2.000_001).count(), 20);
        assert_eq!(steps.iter().filter(|at| at.as_s() <= 3.000_001).count(), 70);
        assert!((steps[119].as_s() - 4.0).abs() < 1e-6, "and the last rate from then on");
    }

    proptest! {
        #[test]
        fn times_rise_and_depend_on_nothing_but_the_seed(
            from in 0.01_f64..1e5,
            to in 0.01_f64..1e5,
            duration in 0.001_f64..100.0,
            seed: u64,
        ) {
            let drawn = |seed| times(Spacing::Poisson, RateProfile::ramp(from, to, duration), seed, 50);
            let once = drawn(seed);
            prop_assert!(once.is_sorted());
            prop_assert!(once[0] >= Nanos::ZERO);
            prop_assert_eq!(&once, &drawn(seed));
            prop_assert_ne!(&once, &drawn(seed.wrapping_add(1)));
        }
    }
}
