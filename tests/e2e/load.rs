//! Load models: open loops, several servers, retries, goodput, and the search for an SLA.

use tickrate::sim::SimSpec;

use crate::running::{chat, perf, sim};

#[test]
fn an_open_loop_over_two_servers_counts_goodput_and_retries() {
    let slow = SimSpec { ttft: "30".parse().unwrap(), ..SimSpec::default() };
    let broken = SimSpec { faults: vec!["http_503:1".parse().unwrap()], ..SimSpec::default() };
    let (good, bad) = (sim(slow), sim(broken));
    let (first, second) = (chat(&good.url()), chat(&bad.url()));
    let run = perf(
        &first,
        &[
            "--url",
            &second,
            "--prompt",
            "hi",
            "--open-loop",
            "--rate",
            "100",
            "--number",
            "20",
            "--max-tokens",
            "4",
            "--no-test-connection",
            "--retries",
            "1",
            "--goodput",
            "ttft:10000",
            "latency:1",
            "--seed",
            "3",
        ],
    );
    assert_eq!(run.code(), Some(0), "{}", run.printed());
    let records = run.records();
    let (ok, failed): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.ok());
    assert_eq!((ok.len(), failed.len()), (10, 20), "half go to each server, and each failure is tried twice");
    assert_eq!(failed.iter().filter(|record| record.key.attempt == 2).count(), 10);
    for record in &records {
        let target = &record.labels.iter().find(|(name, _)| name == "target").unwrap().1;
        assert_eq!(target, if record.ok() { good.url() } else { bad.url() }.as_str());
    }
    let summary = run.json("rate_100_number_20/summary.json");
    assert_eq!(summary["Good Requests (%)"], 0.0, "no request is done within a millisecond");
    assert_eq!(summary["Concurrency"], serde_json::Value::Null);
}

/// The simulator has 6 slots; the seventh request waits for one, so that the TTFT doubles there.
#[test]
fn sla_auto_tune_finds_the_number_of_slots() {
    let server = sim(SimSpec {
        ttft: "200".parse().unwrap(),
        itl: "5".parse().unwrap(),
        slots: 6,
        ..SimSpec::default()
    });
    let run = perf(
        &chat(&server.url()),
        &[
            "--prompt",
            "hi",
            "--max-tokens",
            "40",
            "--sla-auto-tune",
            "--sla-params",
            "[{\"p99_ttft\": \"<=350ms\"}]",
            "--sla-num-runs",
            "1",
            "--parallel",
            "2",
            "--sla-number-multiplier",
            "3",
            "--sla-upper-bound",
            "32",
        ],
    );
    assert_eq!(run.code(), Some(0), "{}", run.printed());
    let found = run.json("sla_summary.json");
    assert_eq!(found["answers"][0]["best"], 6, "{}", run.printed());
    assert!(run.stdout().contains("SLA Auto-tune Summary:"), "{}", run.stdout());
    assert!(run.path().join("sla_parallel_8_run_1/requests.parquet").exists());
}
