//! Whether requests came as a Poisson process comes, whoever sent them.

/// How far some arrivals are from a Poisson process of the same rate.
#[derive(Debug, Clone, Copy)]
pub struct Arrivals {
    /// The largest distance between the distribution of the gaps and the exponential one (Kolmogorov and
    /// Smirnov), times the root of their number. Chance alone exceeds 1.63 once in a hundred times.
    pub distance: f64,
    /// The variance of the counts in windows of a quarter of a millisecond, divided by their mean. Of a Poisson process it
    /// is 1; of equal gaps, next to 0.
    pub dispersion: f64,
}

/// The windows in which arrivals are counted, in nanoseconds.
const WINDOW_NS: i64 = 250_000;

impl Arrivals {
    /// Of arrivals at these moments, in nanoseconds and in any order, at `rate_per_s`.
    pub fn of(mut at_ns: Vec<i64>, rate_per_s: f64) -> Arrivals {
        at_ns.sort_unstable();
        Arrivals { distance: distance(&at_ns, rate_per_s), dispersion: dispersion(&at_ns) }
    }
}

fn distance(at_ns: &[i64], rate_per_s: f64) -> f64 {
    let mut gaps_s: Vec<f64> = at_ns.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e9).collect();
    gaps_s.sort_unstable_by(f64::total_cmp);
    if gaps_s.is_empty() {
        return f64::NAN;
    }
    let count = gaps_s.len() as f64;
    let far = gaps_s.iter().enumerate().map(|(rank, gap_s)| {
        let expected = 1.0 - (-rate_per_s * gap_s).exp();
        let (below, above) = (rank as f64 / count, (rank + 1) as f64 / count);
        (expected - below).abs().max((expected - above).abs())
    });
    far.fold(0.0, f64::max) * count.sqrt()
}

fn dispersion(at_ns: &[i64]) -> f64 {
    let (Some(first), Some(last)) = (at_ns.first(), at_ns.last()) else { return f64::NAN };
    // The last window is not whole.
    let mut counts = vec![0.0; ((last - first) / WINDOW_NS) as usize];
    for at in at_ns {
        if let Some(count) = counts.get_mut(((at - first) / WINDOW_NS) as usize) {
            *count += 1.0;
        }
    }
    let windows = counts.len() as f64;
    let mean = counts.iter().sum::<f64>() / windows;
    counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / windows / mean
}
