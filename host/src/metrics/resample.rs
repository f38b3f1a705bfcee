//! How far figures would differ if the stage were measured again: bootstrap over its requests
//! (Efron 1979), in blocks of requests that were over one after the other (Künsch 1989), since those
//! that were in flight together are not independent. Seeded, so that the same records give the same
//! interval.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::Serialize;

use super::{Metric, Percentile, Quantity};
use crate::record::RequestRecord;

/// The most requests that are resampled. Of more, every second, fourth, … is taken, and the interval
/// narrowed by the root of how many there are for each.
const KEPT: usize = 8192;
/// How often the requests are drawn again.
pub const RESAMPLES: usize = 1000;
/// The fewest requests that a mean has an interval of,
const FEWEST: usize = 8;
/// and how many have to be beyond a percentile, on its shorter side.
const BEYOND: f64 = 1.0;
/// The share of resamples within an interval.
pub const CONFIDENCE: f64 = 0.95;

/// Where a figure is thought to be, with a confidence of 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The lower end, in the figure's unit.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// What of a request is resampled; not a number where it was not measured.
#[derive(Debug, Clone, Copy)]
struct Drawn {
    latency_ms: f64,
    ttft_ms: f64,
    tpot_ms: f64,
    itl_sum_ms: f64,
    itl_count: f64,
    input: f64,
    output: f64,
    /// 1 for a request that met every goodput target, else 0.
    good: f64,
}

/// The requests of a stage that succeeded, as far as they are kept.
#[derive(Debug, Clone, Default)]
pub struct RequestSample {
    drawn: Vec<Drawn>,
    seen: u64,
    stride: u64,
}

/// A figure and the values that it took in the resamples.
#[derive(Debug, Clone, PartialEq)]
pub struct Replicates {
    /// The figure.
    pub quantity: Quantity,
    /// Its value in each resample, moved and narrowed as if around its true value; in its unit.
    pub values: Vec<f64>,
}

/// A value of a request,
type Value = fn(&Drawn) -> f64;
/// and what it adds to the two sums of a ratio.
type Pair = fn(&Drawn) -> (f64, f64);

/// The figures that are resampled.
const TIMES: [(Metric, Value); 3] = [
    (Metric::Ttft, |drawn| drawn.ttft_ms),
    (Metric::Tpot, |drawn| drawn.tpot_ms),
    (Metric::Latency, |drawn| drawn.latency_ms),
];
const STATISTICS: [Percentile; 5] = [
    Percentile::Mean,
    Percentile::At(50.0),
    Percentile::At(90.0),
    Percentile::At(95.0),
    Percentile::At(99.0),
];
/// Ratios of sums. In a closed loop a throughput is one: requests (or tokens) ÷ latency, times the
/// requests in flight.
const RATIOS: [(&str, Pair); 5] = [
    ("request_throughput", |drawn| (1.0, drawn.latency_ms)),
    ("output_throughput", |drawn| (drawn.output, drawn.latency_ms)),
    ("total_throughput", |drawn| (drawn.input + drawn.output, drawn.latency_ms)),
    ("goodput", |drawn| (drawn.good, drawn.latency_ms)),
    ("avg_itl", |drawn| (drawn.itl_sum_ms, drawn.itl_count)),
];

impl RequestSample {
    /// Takes a successful request into account, in the order that requests were over; `good` is whether
    /// it met every goodput target.
    pub fn push(&mut self, record: &RequestRecord, good: bool) {
        let at = self.seen;
        self.seen += 1;
        if at == 0 {
            self.stride = 1;
        }
        if !at.is_multiple_of(self.stride) {
            return;
        }
        if self.drawn.len() == KEPT {
            let mut even = false;
            self.drawn.retain(|_| {
                even = !even;
                even
            });
            self.stride *= 2;
            if !at.is_multiple_of(self.stride) {
                return;
            }
        }
        let count = |tokens: Option<u64>| tokens.map_or(f64::NAN, |tokens| tokens as f64);
        self.drawn.push(Drawn {
            latency_ms: record.latency_ms.unwrap_or(f64::NAN),
            ttft_ms: record.ttft_ms.unwrap_or(f64::NAN),
            tpot_ms: record.tpot_ms.unwrap_or(f64::NAN),
            itl_sum_ms: record.itl_ms.iter().sum(),
            itl_count: record.itl_ms.len() as f64,
            input: count(record.tokens.input),
            output: count(record.tokens.output),
            good: f64::from(u8::from(good)),
        });
    }

    /// How many requests there were.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Draws the requests again and again. `value` is the true value of a figure; `together` is how
    /// many requests were in flight together, `None` for an open loop, whose throughput the arrivals
    /// decide and not the requests. What there are too few requests for is left out.
    pub fn replicates(
        &self,
        seed: u64,
        together: Option<u32>,
        value: impl Fn(Quantity) -> Option<f64>,
    ) -> Vec<Replicates> {
        let count = self.drawn.len();
        if count < FEWEST {
            return Vec::new();
        }
        let mut figures = self.figures(together, value);
        let mut values: Vec<Vec<f64>> = figures.iter().map(|_| Vec::with_capacity(RESAMPLES)).collect();
        let block = block(count, together);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut times = vec![0_u32; count];
        for _ in 0..RESAMPLES {
            times.fill(0);
            let mut left = count;
            while left > 0 {
                let first = random.random_range(0..count);
                let length = block.min(left);
                (first..first + length).for_each(|at| times[at % count] += 1);
                left -= length;
            }
            for (figure, values) in figures.iter_mut().zip(&mut values) {
                values.extend(figure.of(&times));
            }
        }
        // Fewer requests than there were spread wider than all of them would.
        let narrow = (count as f64 / self.seen as f64).sqrt();
        figures
            .into_iter()
            .zip(values)
            .map(|(figure, values)| {
                let around = |value: f64| figure.truth + (value * figure.scale - figure.kept) * narrow;
                Replicates { quantity: figure.quantity, values: values.into_iter().map(around).collect() }
            })
            .collect()
    }

    fn figures(&self, together: Option<u32>, value: impl Fn(Quantity) -> Option<f64>) -> Vec<Figure> {
        let all = vec![1; self.drawn.len()];
        let mut out = Vec::new();
        let mut keep = |quantity: Quantity, statistic: Statistic| {
            let Some(truth) = value(quantity) else { return };
            let mut figure = Figure { quantity, statistic, truth, kept: 0.0, scale: 1.0 };
            if let Some(kept) = figure.of(&all).filter(|kept| *kept != 0.0) {
                // A throughput is a ratio of sums but for a constant: the requests in flight.
                figure.scale =
                    if matches!(figure.statistic, Statistic::Ratio(_)) { truth / kept } else { 1.0 };
                figure.kept = kept * figure.scale;
                out.push(figure);
            }
        };
        for (name, of) in RATIOS {
            let Ok(quantity) = Quantity::named(name) else { continue };
            if together.is_none() && name != "avg_itl" {
                continue;
            }
            keep(quantity, Statistic::Ratio(self.drawn.iter().map(of).collect()));
        }
        for (metric, of) in TIMES {
            let mut order: Vec<(f64, u32)> =
                (0..).zip(&self.drawn).map(|(at, drawn)| (of(drawn), at)).collect();
            order.retain(|(value, _)| !value.is_nan());
            order.sort_by(|a, b| a.0.total_cmp(&b.0));
            if order.len() < FEWEST {
                continue;
            }
            for percentile in STATISTICS {
                let quantile = match percentile {
                    Percentile::At(percent) => Some(percent / 100.0),
                    _ => None,
                };
                let seen = order.len() as f64 * self.stride as f64;
                if quantile.is_some_and(|q| (1.0 - q) * seen < BEYOND) {
                    continue;
                }
                keep(Quantity::Of(metric, percentile), Statistic::Of(order.clone(), quantile));
            }
        }
        out
    }
}

/// One figure of a sample.
struct Figure {
    quantity: Quantity,
    statistic: Statistic,
    truth: f64,
    kept: f64,
    scale: f64,
}

enum Statistic {
    /// Values in order, each with the position of its request: their quantile, or their mean.
    Of(Vec<(f64, u32)>, Option<f64>),
    /// The sum of the first ÷ the sum of the second, over requests that have both.
    Ratio(Vec<(f64, f64)>),
}

impl Figure {
    /// The figure if each request was there so many times; `None` if that leaves nothing.
    fn of(&self, times: &[u32]) -> Option<f64> {
        match &self.statistic {
            Statistic::Ratio(pairs) => {
                let (mut above, mut below) = (0.0, 0.0);
                for ((a, b), &times) in pairs.iter().zip(times) {
                    if !a.is_nan() && !b.is_nan() {
                        above += a * f64::from(times);
                        below += b * f64::from(times);
                    }
                }
                (below > 0.0).then(|| above / below)
            }
            Statistic::Of(order, None) => {
                let (mut sum, mut count) = (0.0, 0.0);
                for &(value, at) in order {
                    let times = f64::from(times[at as usize]);
                    sum += value * times;
                    count += times;
                }
                (count > 0.0).then(|| sum / count)
            }
            Statistic::Of(order, Some(q)) => {
                let total: u64 = order.iter().map(|&(_, at)| u64::from(times[at as usize])).sum();
                let position = q * total.checked_sub(1)? as f64;
                let (rank, share) = (position.floor() as u64, position.fract());
                let (mut passed, mut below) = (0, None);
                for &(value, at) in order {
                    passed += u64::from(times[at as usize]);
                    if passed > rank && below.is_none() {
                        below = Some(value);
                    }
                    if passed > rank + u64::from(share > 0.0) {
                        return below.map(|below: f64| below + (value - below) * share);
                    }
                }
                below
            }
        }
    }
}

/// How many requests are drawn together: as many as were in flight together, at least the cube root
/// of all of them (the usual choice for dependent data), and at most an eighth.
fn block(count: usize, together: Option<u32>) -> usize {
    let root = (count as f64).cbrt().ceil() as usize;
    root.max(together.unwrap_or(1) as usize).clamp(1, (count / 8).max(1))
}

impl Replicates {
    /// Where 95 % of the values are.
    pub fn interval(&self) -> Interval {
        interval(self.values.clone())
    }
}

/// Where the middle 95 % of `values` are.
pub(super) fn interval(mut values: Vec<f64>) -> Interval {
    values.sort_unstable_by(f64::total_cmp);
    let at = |q: f64| {
        let position = (q * values.len().saturating_sub(1) as f64).round() as usize;
        values.get(position).copied().unwrap_or(f64::NAN)
    };
    Interval { low: at((1.0 - CONFIDENCE) / 2.0), high: at((1.0 + CONFIDENCE) / 2.0) }
}

/// Where the share of `hits` in `count` is thought to be, in percent: Wilson's interval (1927), which
/// stays sensible for no hits at all.
pub fn wilson_percent(hits: u64, count: u64) -> Option<Interval> {
    /// The normal distribution's quantile for 95 %.
    const Z: f64 = 1.959_963_984_540_054;
    if count == 0 {
        return None;
    }
    let (n, share) = (count as f64, hits as f64 / count as f64);
    let middle = share + Z * Z / (2.0 * n);
    let reach = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 100.0 / (1.0 + Z * Z / n);
    let (low, high) = ((middle - reach) * scale, (middle + reach) * scale);
    Some(Interval { low: if hits == 0 { 0.0 } else { low }, high: if hits == count { 100.0 } else { high } })
}

#[cfg(test)]
mod tests;
