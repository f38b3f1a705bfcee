//! The tuner on servers that are made of arithmetic.

use super::*;
use crate::metrics::StageAccumulator;
use crate::record::{StageHeader, testing};

fn spec(criteria: Value, runs: u32) -> SlaSpec {
    SlaSpec {
        variable: SlaVariable::Parallel,
        groups: Criteria::parse(&criteria).unwrap().groups,
        notes: Vec::new(),
        runs,
        lower: 1,
        upper: 64,
        start: 4,
        fixed_parallel: None,
        number_multiplier: 2.0,
    }
}

/// The summary of a stage in which every request took `latency_ms` and `failed` of them failed.
fn summary(ask: &Ask, latency_ms: f64, failed: u64) -> StageSummary {
    let stage = StageHeader {
        index: 0,
        name: ask.name.clone(),
        parallel: ask.parallel,
        rate_rps: ask.rate_rps,
        number: ask.number,
        warmup: 0,
        goodput: Vec::new(),
        conversations: false,
        folder: std::env::temp_dir(),
    };
    let mut accumulator = StageAccumulator::new(&stage);
    for index in 0..ask.number {
        let record = if index < failed { testing::failed } else { testing::whole };
        accumulator.push(&record(0.0, latency_ms));
    }
    accumulator.finish(&stage, None).unwrap()
}

/// Runs a tuner against a server whose latency is that of `latency_ms` at each load.
fn tuned(spec: SlaSpec, latency_ms: impl Fn(u32) -> f64) -> (Tuner, Vec<String>) {
    let mut tuner = Tuner::new(spec);
    let mut asked = Vec::new();
    while let Some(ask) = tuner.ask() {
        asked.push(ask.name.clone());
        let load = ask.parallel.unwrap_or(0);
        tuner.tell(&summary(&ask, latency_ms(load), 0));
    }
    (tuner, asked)
}

#[test]
fn the_highest_concurrency_within_the_limit_is_found_with_every_load_measured_as_often_as_asked() {
    let (tuner, asked) = tuned(spec(json!([{"p99_latency": "<=100ms"}]), 2), |load| 10.0 * f64::from(load));
    let answers = tuner.answers();
    assert_eq!((answers[0].best, answers[0].note.as_str()), (Some(10), "satisfied"));
    assert_eq!(answers[0].criteria, "p99_latency <=100ms");
    assert_eq!(
        asked,
        [
            "sla_parallel_4_run_1",
            "sla_parallel_4_run_2",
            "sla_parallel_8_run_1",
            "sla_parallel_8_run_2",
            "sla_parallel_16_run_1",
            "sla_parallel_12_run_1",
            "sla_parallel_12_run_2",
            "sla_parallel_10_run_1",
            "sla_parallel_10_run_2",
            "sla_parallel_11_run_1",
            "sla_parallel_11_run_2",
        ],
        "16 fails so clearly that it is not measured twice"
    );
}

#[test]
fn every_step_of_the_search_is_told_and_what_was_measured_is_kept() {
    let mut tuner = Tuner::new(spec(json!([{"p99_latency": "<=100ms"}, {"avg_latency": "min"}]), 2));
    let mut lines = Vec::new();
    while let Some(ask) = tuner.ask() {
        let load = ask.parallel.unwrap_or(0);
        lines.extend(tuner.tell(&summary(&ask, 10.0 * f64::from(load), 0)));
    }
    assert_eq!(
        lines[..4],
        [
            "parallel 4, run 1 of 2: 8 of 8 requests succeeded; p99_latency 40 ms, avg_latency 40 ms",
            "parallel 4, run 2 of 2: 8 of 8 requests succeeded; p99_latency 40 ms, avg_latency 40 ms",
            "p99_latency <=100ms: parallel 4 holds; next is parallel 8",
            "avg_latency min: parallel 4 is the best so far (avg_latency 40 ms); next is parallel 8",
        ]
    );
    let clearly = "p99_latency <=100ms: parallel 16 fails (p99_latency 160 ms), clearly: it is not measured \
                   again; next is parallel 12";
    assert!(lines.iter().any(|line| line == clearly), "{lines:#?}");
    assert!(lines.iter().any(|line| line.ends_with("; the answer is parallel 10")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("avg_latency min: parallel 8 is no better")), "{lines:#?}");
    let tried: Vec<_> = tuner.tried().into_iter().filter(|tried| tried.load == 16).collect();
    assert_eq!(
        (tried.len(), tried[0].runs, tried[0].mean, tried[0].success_percent),
        (2, 1, Some(160.0), 100.0)
    );
    let report = tuner.report();
    assert_eq!(report["order"].as_array().unwrap()[..3], [json!(4), json!(8), json!(16)]);
    let last = report["measured"].as_array().unwrap().last().unwrap();
    assert_eq!(
        last["criteria"][0],
        json!({"criterion": "p99_latency <=100ms", "mean": 160.0, "unit": "ms", "holds": false})
    );
}

/// What one group gives up as hopeless another may have to know better.
#[test]
fn a_load_is_measured_again_for_a_group_that_it_does_not_clearly_fail() {
    let criteria = json!([{"p99_latency": "<=1ms"}, {"p99_latency": "<=100ms"}]);
    let (tuner, asked) = tuned(spec(criteria, 2), |load| 10.0 * f64::from(load));
    assert_eq!(tuner.answers().iter().map(|answer| answer.best).collect::<Vec<_>>(), [None, Some(10)]);
    let runs = |load: u32| asked.iter().filter(|name| name.contains(&format!("_{load}_run"))).count();
    assert_eq!([runs(1), runs(2), runs(4), runs(8), runs(16)], [1, 1, 2, 2, 1]);
}

#[test]
fn groups_share_what_was_measured() {
    let criteria = json!([{"p99_latency": "<=100ms"}, {"avg_latency": "<=50ms"}]);
    let (tuner, asked) = tuned(spec(criteria, 1), |load| 10.0 * f64::from(load));
    assert_eq!(tuner.answers().iter().map(|answer| answer.best).collect::<Vec<_>>(), [Some(10), Some(5)]);
    let mut once = asked.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), asked.len());
}

#[test]
fn a_limit_that_cannot_be_met_and_a_bound_that_is_reached_are_said() {
    let (tuner, _) = tuned(spec(json!([{"avg_latency": "<=1ms"}]), 1), |_| 5.0);
    assert_eq!(
        (tuner.answers()[0].best, tuner.answers()[0].note.as_str()),
        (None, "failed at 1 and all below")
    );
    let (tuner, _) = tuned(spec(json!([{"avg_latency": "<=10ms"}]), 1), |_| 5.0);
    assert_eq!(tuner.answers()[0].best, Some(64));
    assert!(tuner.answers()[0].note.contains("--sla-upper-bound"));
}

#[test]
fn a_load_that_loses_requests_is_not_satisfied() {
    let mut tuner = Tuner::new(spec(json!([{"avg_latency": "<=10ms"}]), 3));
    while let Some(ask) = tuner.ask() {
        let lost = u64::from(ask.parallel.unwrap_or(0) > 6);
        tuner.tell(&summary(&ask, 1.0, lost));
    }
    assert_eq!(tuner.answers()[0].best, Some(6));
    let seven = tuner.tried().into_iter().find(|tried| tried.load == 7).unwrap();
    assert_eq!((seven.runs, seven.success_percent < 100.0), (1, true), "lost requests count at once");
}

#[test]
fn a_search_that_was_cut_short_says_so() {
    let mut tuner = Tuner::new(spec(json!([{"avg_latency": "<=10ms"}]), 1));
    let ask = tuner.ask().unwrap();
    tuner.tell(&summary(&ask, 1.0, 0));
    assert_eq!(tuner.answers()[0].note, "the run ended before the answer was known");
}

#[test]
fn the_rate_is_varied_within_a_fixed_concurrency() {
    let spec = SlaSpec {
        variable: SlaVariable::Rate,
        fixed_parallel: Some(100),
        ..spec(json!([{"avg_latency": "<=1s"}]), 1)
    };
    let ask = Tuner::new(spec).ask().unwrap();
    assert_eq!((ask.parallel, ask.rate_rps, ask.number), (Some(100), Some(4.0), 8));
}
