//! What is printed and counted while a run goes on.

use tickrate::sim::SimSpec;

use crate::running::perf_on;

#[test]
fn warm_up_requests_are_recorded_and_belong_to_no_figure() {
    let run = perf_on(SimSpec::default(), "--prompt hello --number 4 --warmup-num 2 --max-tokens 3").ended(0);
    let records = run.records();
    let warmup: Vec<_> = records.iter().filter(|record| record.key.warmup).collect();
    let measured: Vec<_> = records.iter().filter(|record| !record.key.warmup).collect();
    assert_eq!((warmup.len(), measured.len()), (2, 4));
    let summary = run.json("parallel_1_number_4/summary.json");
    assert_eq!(summary["Total Requests"], 4);
    let mean = measured.iter().map(|record| record.latency_ms.unwrap()).sum::<f64>() / 4.0;
    assert!((summary["Avg Latency (s)"].as_f64().unwrap() * 1e3 - mean).abs() < 1e-6);
    let last_of_warmup = warmup.iter().map(|record| record.closed).max();
    assert!(measured.iter().all(|record| record.sent > last_of_warmup), "the warm-up ends before the rest");
}

#[test]
fn the_log_holds_what_was_printed() {
    let run = perf_on(SimSpec::default(), "--prompt hello --number 3 --max-tokens 3 --debug").ended(0);
    let log = std::fs::read_to_string(run.path().join("benchmark.log")).unwrap();
    assert_eq!(log, run.stdout());
    assert!(!log.contains('\u{1b}'), "no control codes");
}

#[test]
fn debug_prints_a_line_for_each_request() {
    let run = perf_on(SimSpec::default(), "--prompt hello --number 3 --max-tokens 3 --debug").ended(0);
    for record in run.records() {
        let tokens = format!("tokens {}/3 length", record.tokens.input.unwrap());
        let line =
            run.stdout().lines().find(|line| line.starts_with(&record.key.request_id)).map(String::from);
        assert!(line.as_ref().is_some_and(|line| line.ends_with(&tokens)), "{line:?} {tokens}");
    }
    let quiet = perf_on(SimSpec::default(), "--prompt hello --number 3 --max-tokens 3").ended(0);
    assert!(!quiet.stdout().contains(" ttft "), "{}", quiet.stdout());
}
