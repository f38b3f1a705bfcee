//! The intervals, on values whose spread is known.

use super::*;
use crate::metrics::{StageAccumulator, StageSummary};
use crate::record::{StageHeader, testing};

fn normal(random: &mut Xoshiro256PlusPlus) -> f64 {
    // The sum of twelve uniform values is close enough to a normal one.
    (0..12).map(|_| random.random_range(0.0..1.0)).sum::<f64>() - 6.0
}

/// A stage of `count` requests of 100 ± 10 ms, and its figures.
fn stage(count: usize, seed: u64) -> (RequestSample, StageSummary) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let header = StageHeader {
        index: 0,
        name: "parallel_1".into(),
        parallel: Some(1),
        rate_rps: None,
        number: count as u64,
        warmup: 0,
        goodput: Vec::new(),
        conversations: false,
        folder: std::env::temp_dir(),
    };
    let (mut sample, mut figures) = (RequestSample::default(), StageAccumulator::new(&header));
    for index in 0..count {
        let record = testing::whole(index as f64 * 200.0, 100.0 + 10.0 * normal(&mut random));
        sample.push(&record, true);
        figures.push(&record);
    }
    (sample, figures.finish(&header, None).unwrap())
}

fn interval_of(name: &str, count: usize, seed: u64) -> Option<Interval> {
    let (sample, figures) = stage(count, seed);
    let replicates = sample.replicates(1, Some(1), |quantity| quantity.of(&figures));
    let found = replicates.iter().find(|replicates| replicates.quantity == Quantity::named(name).unwrap());
    found.map(Replicates::interval)
}

#[test]
fn a_mean_is_as_sure_as_the_textbook_says_however_many_are_kept() {
    for count in [400, 20_000] {
        let Interval { low, high } = interval_of("avg_latency", count, 3).unwrap();
        let expected = 2.0 * 1.96 * 10.0 / (count as f64).sqrt();
        let ratio = (high - low) / expected;
        assert!((0.7..1.3).contains(&ratio), "{count}: {low} to {high}, expected a width of {expected}");
    }
}

#[test]
fn the_truth_is_within_the_interval_about_as_often_as_it_says() {
    let hit = |seed: &u64| {
        let Interval { low, high } = interval_of("avg_latency", 100, *seed).unwrap();
        (low..=high).contains(&100.0)
    };
    let hits = (0..60).filter(hit).count();
    assert!((50..=60).contains(&hits), "{hits} of 60");
}

#[test]
fn the_same_records_give_the_same_interval() {
    assert_eq!(interval_of("p50_latency", 50, 1), interval_of("p50_latency", 50, 1));
}

#[test]
fn what_there_are_too_few_requests_for_has_no_interval() {
    assert_eq!(interval_of("avg_latency", 7, 1), None);
    assert_eq!(interval_of("p99_latency", 99, 1), None);
    assert!(interval_of("p99_latency", 120, 1).is_some());
    assert_eq!(interval_of("avg_ttft", 50, 1), None, "it was not measured");
}

#[test]
fn the_throughput_of_an_open_loop_is_decided_by_its_arrivals() {
    let (sample, figures) = stage(100, 1);
    let names = |together| -> Vec<String> {
        let replicates = sample.replicates(1, together, |quantity| quantity.of(&figures));
        replicates.iter().map(|replicates| replicates.quantity.name()).collect()
    };
    assert!(names(Some(1)).contains(&"request_throughput".to_string()));
    assert!(!names(None).contains(&"request_throughput".to_string()));
}

#[test]
fn no_failures_in_a_hundred_may_still_be_some_percent() {
    let interval = wilson_percent(0, 100).unwrap();
    assert_eq!(interval.low, 0.0);
    assert!((interval.high - 3.699).abs() < 0.01, "{interval:?}");
    assert_eq!(wilson_percent(3, 3).unwrap().high, 100.0);
    assert_eq!(wilson_percent(0, 0), None);
}

#[test]
fn a_quantile_of_requests_that_are_there_several_times_is_that_of_the_longer_list() {
    let order = vec![(1.0, 0), (2.0, 1), (5.0, 2)];
    let of = |q| Figure {
        quantity: Quantity::Of(Metric::Latency, Percentile::Mean),
        statistic: Statistic::Of(order.clone(), q),
        truth: 0.0,
        kept: 0.0,
        scale: 1.0,
    };
    // numpy.percentile([1, 2, 2, 5, 5], [50, 25, 90]) and its mean
    for (q, expected) in [(Some(0.5), 2.0), (Some(0.25), 2.0), (Some(0.9), 5.0), (None, 3.0)] {
        assert!((of(q).of(&[1, 2, 2]).unwrap() - expected).abs() < 1e-12, "{q:?}");
    }
    assert_eq!(of(Some(0.5)).of(&[1, 1, 0]), Some(1.5));
    assert_eq!(of(Some(0.5)).of(&[0, 0, 0]), None);
}
