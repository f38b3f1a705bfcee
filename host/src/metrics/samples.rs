//! Raw values and their exact percentiles.

/// All values of one metric. Percentiles come from the values themselves, not from buckets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    values: Vec<f64>,
}

impl Samples {
    /// Adds a value, if there is one.
    pub fn push(&mut self, value: Option<f64>) {
        self.values.extend(value);
    }

    /// Adds values.
    pub fn extend(&mut self, values: impl IntoIterator<Item = f64>) {
        self.values.extend(values);
    }

    /// The values' figures; `None` if there are no values.
    pub fn distribution(mut self) -> Option<Distribution> {
        if self.values.is_empty() {
            return None;
        }
        let mean = self.values.iter().sum::<f64>() / self.values.len() as f64;
        self.values.sort_unstable_by(f64::total_cmp);
        Some(Distribution { sorted: self.values, mean })
    }
}

/// The figures of a metric that was measured at least once.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    sorted: Vec<f64>,
    mean: f64,
}

impl Distribution {
    /// The arithmetic mean.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// How many values there are; at least one.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The sum of the values.
    pub fn sum(&self) -> f64 {
        self.sorted.iter().sum()
    }

    /// The quantile at `q`, from 0 (the smallest value) to 1 (the largest), interpolated linearly
    /// between the two nearest values: definition 7 of Hyndman and Fan (1996), the default of numpy,
    /// pandas and DuckDB's `quantile_cont`.
    pub fn quantile(&self, q: f64) -> f64 {
        let position = q.clamp(0.0, 1.0) * (self.sorted.len() - 1) as f64;
        let below = position.floor();
        let (low, high) = (self.sorted[below as usize], self.sorted[position.ceil() as usize]);
        low + (high - low) * (position - below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[f64]) -> Distribution {
        let mut samples = Samples::default();
        samples.extend(values.iter().copied());
        samples.distribution().unwrap()
    }

    #[test]
    fn quantiles_interpolate_as_numpy_does() {
        // numpy.percentile([4, 1, 3, 2], [0, 25, 50, 90, 99, 100])
        let d = of(&[4.0, 1.0, 3.0, 2.0]);
        let got = [0.0, 0.25, 0.5, 0.9, 0.99, 1.0].map(|q| d.quantile(q));
        let expected = [1.0, 1.75, 2.5, 3.7, 3.97, 4.0];
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-12, "{got} {expected}");
        }
        assert_eq!((d.mean(), d.count(), d.sum()), (2.5, 4, 10.0));
    }

    #[test]
    fn one_value_is_every_quantile_and_no_value_is_no_distribution() {
        assert_eq!(of(&[7.0]).quantile(0.99), 7.0);
        assert_eq!(Samples::default().distribution(), None);
    }

    proptest! {
        #[test]
        fn quantiles_rise_and_stay_within_the_values(
            values in proptest::collection::vec(-1e9_f64..1e9, 1..200),
            a in 0.0_f64..=1.0,
            b in 0.0_f64..=1.0,
        ) {
            let d = of(&values);
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(d.quantile(low) <= d.quantile(high));
            prop_assert!(d.quantile(0.0) == values.iter().copied().fold(f64::MAX, f64::min));
            prop_assert!(d.quantile(1.0) == values.iter().copied().fold(f64::MIN, f64::max));
        }
    }
}
