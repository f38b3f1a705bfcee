//! Everything a user reads can be computed again from the Parquet files.

use std::collections::BTreeMap;
use std::path::Path;

use tickrate::record::RequestRecord;
use tickrate::sim::SimSpec;

use crate::running::{Run, files, perf_on, tickrate};

/// The texts of all files that tables and figures are in.
fn texts(folder: &Path) -> BTreeMap<String, String> {
    files(folder)
        .iter()
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            ["summary.json", "percentiles.json", "performance_summary.txt"].contains(&name)
        })
        .map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            let text = text.lines().filter(|line| !line.trim_start().starts_with("Output Path"));
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            (name, text.map(|line| format!("{line}\n")).collect())
        })
        .collect()
}

/// Fails at the first line that differs.
#[track_caller]
fn assert_same(again: &BTreeMap<String, String>, written: &BTreeMap<String, String>) {
    assert!(again.keys().eq(written.keys()), "{:?} {:?}", again.keys(), written.keys());
    for (name, text) in written {
        for (now, then) in again[name].lines().zip(text.lines()) {
            assert_eq!(now, then, "{name}");
        }
        assert_eq!(again[name].len(), text.len(), "{name}");
    }
}

/// Deletes what `tickrate report` writes, and lets it write it again.
fn reported(run: &Run) -> (BTreeMap<String, String>, String) {
    for name in texts(&run.path()).keys() {
        std::fs::remove_file(run.path().join(name)).unwrap();
    }
    let output = tickrate(run.folder.path(), "report outputs/run").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    (texts(&run.path()), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_report_writes_and_prints_what_the_run_did() {
    let faults = ["http_500_html:0.1", "no_usage:0.1", "cut:0.1"];
    let spec = SimSpec {
        ttft: "exp:5".parse().unwrap(),
        itl: "exp:1".parse().unwrap(),
        reasoning_tokens: 2,
        prefix_cache_blocks: Some(64),
        tokens_per_frame: 2,
        faults: faults.iter().map(|share| share.parse().unwrap()).collect(),
        seed: 9,
        ..SimSpec::default()
    };
    let flags = "--no-test-connection --prompt hello --max-tokens 3 20 --seed 1 --parallel 10 2 2 --number 40 12 5 \
                 --warmup-num 0.2";
    let run = perf_on(spec, flags).ended(0);
    let written = texts(&run.path());
    assert_eq!(written.len(), 3 * 2 + 1);
    let (again, printed) = reported(&run);
    assert_same(&again, &written);
    let order: Vec<usize> = ["parallel_10_number_40", "parallel_2_number_12", "parallel_2_number_5"]
        .iter()
        .map(|stage| printed.find(&format!("Benchmarking summary: {stage}\n")).expect("a table"))
        .collect();
    assert!(order.is_sorted(), "the stages come in the order they were run");
    for table in ["Benchmarking summary: ", "Percentile results: ", "Client health: "] {
        let of = |text: &str| -> Vec<String> {
            text.split("\n\n")
                .map(str::trim)
                .filter(|part| part.starts_with(table))
                .map(str::to_string)
                .collect()
        };
        assert_eq!(of(&printed), of(&run.stdout()), "{table}");
        assert_eq!(of(&printed).len(), 3);
    }
}

#[test]
fn a_report_of_failures_alone_and_of_one_stage_is_the_runs_too() {
    for (flags, code) in [("--extra-args {\"sim_fault\":\"http_401\"}", 4), ("--no-stream", 0)] {
        let flags = format!("--no-test-connection --prompt hello --max-tokens 3 --number 3 {flags}");
        let run = perf_on(SimSpec::default(), &flags).ended(code);
        let written = texts(&run.path());
        assert_eq!(written.len(), 2, "one stage has no summary of the run");
        assert_same(&reported(&run).0, &written);
    }
}

#[test]
fn a_moved_run_can_be_reported() {
    let flags = "--no-test-connection --prompt hello --max-tokens 3 --parallel 1 2 --number 2 4";
    let run = perf_on(SimSpec::default(), flags).ended(0);
    let written = texts(&run.path());
    std::fs::rename(run.path(), run.folder.path().join("elsewhere")).unwrap();
    let output = tickrate(run.folder.path(), "report elsewhere").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_same(&texts(&run.folder.path().join("elsewhere")), &written);
    assert!(!run.path().exists(), "nothing is written where it used to be");
}

/// The role before the first token, the usage after the last: what the baseline counts and we do not.
#[test]
fn a_run_is_shown_by_the_baselines_definitions_as_well() {
    let spec = SimSpec { ttft: "60".parse().unwrap(), itl: "5".parse().unwrap(), ..SimSpec::default() };
    let flags = "--no-test-connection --prompt hello --max-tokens 6 --number 4 --compat evalscope";
    let run = perf_on(spec, flags).ended(0);
    let stage = "parallel_1_number_4";
    let theirs = run.json(&format!("{stage}/benchmark_summary.json"));
    let ours = run.json(&format!("{stage}/summary.json"));
    let figure =
        |of: &serde_json::Value, name: &str| of[name].as_f64().unwrap_or_else(|| panic!("{name}: {of}"));
    for name in ["Total Requests", "Success Requests", "Avg Output Tokens"] {
        assert_eq!(figure(&theirs, name), figure(&ours, name), "{name}");
    }
    let records = run.records();
    let mean = |of: fn(&RequestRecord) -> f64| records.iter().map(of).sum::<f64>() / records.len() as f64;
    let first_choice = |record: &RequestRecord| {
        let first = record.bare_choices.first().into_iter().chain(record.first_token.as_ref()).min().unwrap();
        (*first - record.sent.unwrap()).as_ms()
    };
    let last = |record: &RequestRecord| {
        let last = record.bare_events.last().into_iter().chain(record.last_token.as_ref()).max().unwrap();
        (*last - record.sent.unwrap()).as_s()
    };
    assert!((figure(&theirs, "Avg TTFT (ms)") - mean(first_choice)).abs() < 0.0051, "{theirs}");
    assert!((figure(&theirs, "Avg Latency (s)") - mean(last)).abs() < 0.000_051, "{theirs}");
    assert!(records.iter().all(|record| !record.bare_events.is_empty()), "the usage came by itself");
    let rows = run.json(&format!("{stage}/benchmark_percentile.json"));
    let rows = rows.as_array().unwrap();
    let labels: Vec<&str> = rows.iter().map(|row| row["Percentiles"].as_str().unwrap()).collect();
    assert_eq!(labels, ["min", "1%", "5%", "10%", "25%", "50%", "75%", "90%", "95%", "99%", "max"]);
    let mut latencies: Vec<f64> = records.iter().map(last).collect();
    latencies.sort_by(f64::total_cmp);
    assert!(
        (figure(&rows[5], "Latency (s)") - latencies[2]).abs() < 0.0051,
        "the third of four is the median"
    );
    assert!(run.stdout().contains("By both definitions: parallel_1_number_4"), "{}", run.stdout());

    // And again from the records, also of a run that was not asked for it.
    std::fs::remove_file(run.path().join(stage).join("benchmark_summary.json")).unwrap();
    let again = tickrate(run.folder.path(), "report outputs/run").output().unwrap();
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(run.json(&format!("{stage}/benchmark_summary.json")), theirs);
    let plain = "--no-test-connection --prompt hello --max-tokens 3 --number 2";
    let plain = perf_on(SimSpec::default(), plain).ended(0);
    let report = tickrate(plain.folder.path(), "report outputs/run --compat evalscope").output().unwrap();
    assert!(String::from_utf8_lossy(&report.stdout).contains("By both definitions"), "{report:?}");
    assert!(plain.path().join("parallel_1_number_2/benchmark_percentile.json").exists());
}
