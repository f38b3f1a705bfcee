//! A figure that is either constant or drawn afresh each time.

use std::fmt;
use std::str::FromStr;

use rand::{Rng, RngExt};
use rand_distr::{Distribution as _, Exp, LogNormal, Normal};

use super::SimError;

/// Where a figure comes from. It has no unit of its own: `--ttft` and `--itl` read it as
/// milliseconds, `--output-tokens` as tokens. Every draw is finite and at least 0.
///
/// It is written `50`, `uniform:40,60` (low, high), `normal:50,5` (mean, standard deviation),
/// `lognormal:50,0.3` (median, sigma of the logarithm) or `exp:50` (mean).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// Always the same.
    Constant(f64),
    /// Any value between the two equally often.
    Uniform {
        /// The least value.
        low: f64,
        /// The greatest value.
        high: f64,
    },
    /// A bell curve; draws below 0 count as 0.
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        deviation: f64,
    },
    /// A curve with a long upper tail.
    LogNormal {
        /// Half of the draws lie below this.
        median: f64,
        /// The standard deviation of the natural logarithm.
        sigma: f64,
    },
    /// The gaps of a Poisson process.
    Exponential {
        /// The mean.
        mean: f64,
    },
}

impl Distribution {
    /// One draw: finite and at least 0.
    pub fn sample(&self, rng: &mut impl Rng) -> f64 {
        let value = match *self {
            Distribution::Constant(value) => value,
            Distribution::Uniform { low, high } => low + (high - low) * rng.random::<f64>(),
            // The parser admits only parameters that these constructors accept; the fallback is
            // for a value that was put together by hand.
            Distribution::Normal { mean, deviation } => {
                Normal::new(mean, deviation).map_or(mean, |curve| curve.sample(rng))
            }
            Distribution::LogNormal { median, sigma } => {
                LogNormal::new(median.ln(), sigma).map_or(median, |curve| curve.sample(rng))
            }
            Distribution::Exponential { mean } => {
                Exp::new(1.0 / mean).map_or(mean, |curve| curve.sample(rng))
            }
        };
        // The upper bound keeps an extreme draw within what a clock can hold.
        if value.is_nan() { 0.0 } else { value.clamp(0.0, MOST) }
    }

    /// Whether every draw is the same.
    pub fn is_constant(&self) -> bool {
        matches!(self, Distribution::Constant(_))
    }
}

/// The greatest parameter and the greatest draw: 11 days in milliseconds.
const MOST: f64 = 1e9;

impl fmt::Display for Distribution {
    /// Prints what [`Distribution::from_str`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Distribution::Constant(value) => write!(f, "{value}"),
            Distribution::Uniform { low, high } => write!(f, "uniform:{low},{high}"),
            Distribution::Normal { mean, deviation } => write!(f, "normal:{mean},{deviation}"),
            Distribution::LogNormal { median, sigma } => write!(f, "lognormal:{median},{sigma}"),
            Distribution::Exponential { mean } => write!(f, "exp:{mean}"),
        }
    }
}

impl FromStr for Distribution {
    type Err = SimError;

    /// Reads the notation given at [`Distribution`].
    fn from_str(text: &str) -> Result<Distribution, SimError> {
        let refuse = || SimError::Distribution(text.to_string());
        let (name, list) = text.trim().split_once(':').unwrap_or(("constant", text.trim()));
        let mut numbers = list.split(',').map(|number| match number.trim().parse::<f64>() {
            Ok(value) if (0.0..=MOST).contains(&value) => Ok(value),
            _ => Err(refuse()),
        });
        let first = numbers.next().unwrap_or_else(|| Err(refuse()))?;
        let second = numbers.next().transpose()?;
        if numbers.next().is_some() {
            return Err(refuse());
        }
        match (name, second) {
            ("constant", None) => Ok(Distribution::Constant(first)),
            ("uniform", Some(high)) if high >= first => Ok(Distribution::Uniform { low: first, high }),
            ("normal", Some(deviation)) => Ok(Distribution::Normal { mean: first, deviation }),
            ("lognormal", Some(sigma)) if first > 0.0 => Ok(Distribution::LogNormal { median: first, sigma }),
            ("exp", None) if first > 0.0 => Ok(Distribution::Exponential { mean: first }),
            _ => Err(refuse()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    fn any_distribution() -> impl Strategy<Value = Distribution> {
        let number = 0.0..1e6_f64;
        prop_oneof![
            number.clone().prop_map(Distribution::Constant),
            (number.clone(), number.clone())
                .prop_map(|(low, span)| Distribution::Uniform { low, high: low + span }),
            (number.clone(), number.clone())
                .prop_map(|(mean, deviation)| Distribution::Normal { mean, deviation }),
            (0.001..1e6_f64, 0.0..50.0_f64)
                .prop_map(|(median, sigma)| Distribution::LogNormal { median, sigma }),
            (0.001..1e6_f64).prop_map(|mean| Distribution::Exponential { mean }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(distribution in any_distribution()) {
            prop_assert_eq!(distribution.to_string().parse::<Distribution>().unwrap(), distribution);
        }

        #[test]
        fn draws_are_finite_and_never_negative(distribution in any_distribution(), seed: u64) {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
            for _ in 0..50 {
                let draw = distribution.sample(&mut rng);
                prop_assert!(draw.is_finite() && draw >= 0.0, "{} drew {}", distribution, draw);
                if let Distribution::Uniform { low, high } = distribution {
                    prop_assert!(low <= draw && draw <= high);
                }
            }
        }

        #[test]
        fn any_text_is_read_or_refused_in_one_line(text in "(uniform|normal|lognormal|exp|[a-z]{0,3}):?[-0-9.,einfa ]{0,12}") {
            if let Err(error) = text.parse::<Distribution>() {
                let said = error.to_string();
                prop_assert!(said.contains(&text) && !said.contains('\n'));
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["", "-1", "nan", "inf", "uniform:5", "uniform:9,1", "exp:0", "lognormal:0,1", "cauchy:1,2"]
        {
            assert!(text.parse::<Distribution>().is_err(), "{text}");
        }
        assert_eq!("50".parse::<Distribution>().unwrap(), Distribution::Constant(50.0));
        assert_eq!(
            "uniform:40, 60".parse::<Distribution>().unwrap(),
            Distribution::Uniform { low: 40.0, high: 60.0 }
        );
    }
}
