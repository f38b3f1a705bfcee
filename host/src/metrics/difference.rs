//! What differs between two stages, and whether that is more than chance. Both are resampled, each on
//! its own, and the change is taken between the resamples.

use serde::Serialize;

use super::profile::SEED;
use super::resample::{interval, wilson_percent};
use super::{Better, Interval, Metric, Percentile, Profile, Quantity, StageSummary};

/// What a difference comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The second is better, by more than chance.
    Better,
    /// The second is worse, by more than chance.
    Worse,
    /// The interval of the change holds none at all.
    NoDifference,
    /// There are too few requests to tell, or the load decides the figure.
    Unknown,
}

/// A figure of two stages.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The figure.
    pub quantity: Quantity,
    /// The first stage's, in the figure's unit.
    pub first: f64,
    /// The second stage's.
    pub second: f64,
    /// How much the second is above the first: in percent of it, or in points where the figure is a
    /// share. `None` if there is nothing to divide by.
    pub change: Option<f64>,
    /// Where that change is thought to be, with a confidence of 95 %.
    pub interval: Option<Interval>,
    /// What it comes to.
    pub finding: Finding,
}

/// The figures that are compared.
fn compared() -> Vec<Quantity> {
    let single = ["request_throughput", "output_throughput", "total_throughput", "goodput", "error_rate"];
    let mut out: Vec<Quantity> = single.into_iter().filter_map(|name| Quantity::named(name).ok()).collect();
    let statistics = [Percentile::Mean, Percentile::At(50.0), Percentile::At(99.0)];
    for metric in [Metric::Ttft, Metric::Tpot, Metric::Itl, Metric::Latency] {
        out.extend(statistics.map(|statistic| Quantity::Of(metric, statistic)));
    }
    out
}

/// The differences between two stages, in the order that tables show them; what one of them did not
/// measure is left out.
pub fn differences(
    (first, of_first): (&StageSummary, &Profile),
    (second, of_second): (&StageSummary, &Profile),
) -> Vec<Difference> {
    let draw = |stage: &StageSummary, profile: &Profile, seed| {
        profile.sample.replicates(seed, stage.stage.parallel, |quantity| quantity.of(stage))
    };
    // Two seeds: draws that are alike would make unlike stages look alike.
    let (a, b) = (draw(first, of_first, SEED), draw(second, of_second, SEED ^ 1));
    let difference = |quantity: Quantity| {
        let (x, y) = (quantity.of(first)?, quantity.of(second)?);
        let (change, reach) = if quantity.name() == "error_rate" {
            (Some(y - x), shares((first.failed(), first.total), (second.failed(), second.total)))
        } else {
            let find = |drawn: &[super::resample::Replicates]| {
                drawn.iter().find(|one| one.quantity == quantity).map(|one| one.values.clone())
            };
            let reach = find(&a)
                .zip(find(&b))
                .map(|(a, b)| interval(a.iter().zip(&b).map(|(a, b)| (b / a - 1.0) * 100.0).collect()));
            ((x != 0.0).then(|| (y / x - 1.0) * 100.0), reach)
        };
        let finding = finding(quantity, reach);
        Some(Difference { quantity, first: x, second: y, change, interval: reach, finding })
    };
    compared().into_iter().filter_map(difference).collect()
}

fn finding(quantity: Quantity, reach: Option<Interval>) -> Finding {
    let more = match reach {
        None => return Finding::Unknown,
        Some(reach) if reach.low > 0.0 => true,
        Some(reach) if reach.high < 0.0 => false,
        Some(_) => return Finding::NoDifference,
    };
    match (quantity.better(), more) {
        (Better::Higher, true) | (Better::Lower, false) => Finding::Better,
        (Better::Higher, false) | (Better::Lower, true) => Finding::Worse,
        (Better::Neither, _) => Finding::Unknown,
    }
}

/// Where the difference of two shares is thought to be, in points: Newcombe's interval (1998), which
/// is put together from Wilson's of each.
fn shares(first: (u64, u64), second: (u64, u64)) -> Option<Interval> {
    let (a, b) = (wilson_percent(first.0, first.1)?, wilson_percent(second.0, second.1)?);
    let of = |(hits, count): (u64, u64)| hits as f64 / count as f64 * 100.0;
    let (x, y) = (of(first), of(second));
    let low = (y - x) - ((y - b.low).powi(2) + (a.high - x).powi(2)).sqrt();
    let high = (y - x) + ((b.high - y).powi(2) + (x - a.low).powi(2)).sqrt();
    Some(Interval { low, high })
}

impl Difference {
    /// Whether the second is worse by more than chance, and by more than `percent` of the first. Of
    /// errors, any increase that is more than chance counts.
    pub fn is_regression(&self, percent: f64) -> bool {
        let far = self.change.is_none_or(|change| change.abs() > percent);
        self.finding == Finding::Worse && (far || self.quantity.name() == "error_rate")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{ProfileAccumulator, StageAccumulator};
    use crate::record::{StageHeader, testing};

    /// A stage of requests whose TTFT is `ttft_ms` and up to 20 % more, of which every `fail`th fails.
    fn stage(count: u32, ttft_ms: f64, shift: u32, fail: u32) -> (StageSummary, Profile) {
        let header = StageHeader {
            index: 0,
            name: "parallel_1".into(),
            parallel: Some(1),
            rate_rps: None,
            number: u64::from(count),
            warmup: 0,
            goodput: Vec::new(),
            conversations: false,
            folder: std::env::temp_dir(),
        };
        let (mut figures, mut profile) = (StageAccumulator::new(&header), ProfileAccumulator::new(&[], None));
        let mut at = 0.0;
        for index in 0..count {
            let noise = f64::from((index + shift) * 37 % 101) / 505.0;
            let record = match fail > 0 && index % fail == 0 {
                true => testing::failed(at, 1.0),
                false => testing::streamed(at, ttft_ms * (1.0 + noise), 2.0, 5),
            };
            at += record.latency_ms.unwrap_or(0.0);
            figures.push(&record);
            profile.push(&record);
        }
        let stage = figures.finish(&header, None).unwrap();
        let profile = profile.finish(&stage);
        (stage, profile)
    }

    fn found(a: &(StageSummary, Profile), b: &(StageSummary, Profile), name: &str) -> Difference {
        let all = differences((&a.0, &a.1), (&b.0, &b.1));
        all.into_iter().find(|one| one.quantity.name() == name).unwrap()
    }

    #[test]
    fn a_slower_server_is_worse_in_time_and_in_throughput() {
        let (a, b) = (stage(300, 50.0, 0, 0), stage(300, 60.0, 11, 0));
        let ttft = found(&a, &b, "avg_ttft");
        assert_eq!(ttft.finding, Finding::Worse);
        assert!((ttft.change.unwrap() - 20.0).abs() < 1.0, "{ttft:?}");
        assert!(ttft.is_regression(5.0) && !ttft.is_regression(25.0));
        assert_eq!(found(&a, &b, "request_throughput").finding, Finding::Worse);
        assert_eq!(found(&b, &a, "p50_ttft").finding, Finding::Better);
    }

    #[test]
    fn chance_is_no_difference_and_the_answer_is_always_the_same() {
        let (a, b) = (stage(300, 50.0, 0, 0), stage(300, 50.0, 50, 0));
        for name in ["avg_ttft", "p50_ttft", "p99_ttft", "request_throughput"] {
            assert_eq!(found(&a, &b, name).finding, Finding::NoDifference, "{name}");
        }
        assert_eq!(differences((&a.0, &a.1), (&b.0, &b.1)), differences((&a.0, &a.1), (&b.0, &b.1)));
    }

    #[test]
    fn few_requests_cannot_tell() {
        let (a, b) = (stage(50, 50.0, 0, 0), stage(50, 90.0, 1, 0));
        assert_eq!(found(&a, &b, "p99_ttft").finding, Finding::Unknown);
        assert_eq!(found(&a, &b, "avg_ttft").finding, Finding::Worse);
    }

    #[test]
    fn errors_are_compared_in_points() {
        let (a, b) = (stage(300, 50.0, 0, 0), stage(300, 50.0, 0, 10));
        let errors = found(&a, &b, "error_rate");
        assert_eq!((errors.change, errors.finding), (Some(10.0), Finding::Worse));
        assert!(errors.is_regression(50.0));
        // Newcombe 1998, table II, (d): 56/70 − 48/80 is 0.0524 to 0.3339.
        let known = shares((48, 80), (56, 70)).unwrap();
        assert!((known.low - 5.24).abs() < 0.01 && (known.high - 33.39).abs() < 0.01, "{known:?}");
    }
}
