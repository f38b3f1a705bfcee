//! The files of a stage that programs read: their columns are those of `docs/records.md`, and every
//! format holds the same records.

use std::process::Command;

use tickrate::sim::SimSpec;

use crate::python::python;
use crate::running::{Run, chat, perf, perf_on, root, sim, tickrate};

fn run() -> Run {
    let spec = SimSpec {
        ttft: "exp:20".parse().unwrap(),
        itl: "exp:4".parse().unwrap(),
        faults: vec!["http_401:0.1".parse().unwrap(), "no_usage:0.1".parse().unwrap()],
        seed: 4,
        ..SimSpec::default()
    };
    let flags = "--no-test-connection --prompt hello,\"\n --max-tokens 2 20 --parallel 1 8 --number 10 60 \
                 --warmup-num 3 --save-text --timeline-interval 0.1 --format csv,jsonl sqlite";
    perf_on(spec, flags).ended(0)
}

fn checked(script: &str, run: &Run) -> String {
    let script = root().join("tests/python").join(script);
    let output = Command::new(python(&[])).arg(script).arg(run.path()).current_dir(root()).output().unwrap();
    let said = String::from_utf8([&output.stdout[..], &output.stderr[..]].concat()).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn the_files_have_the_documented_columns_and_every_format_the_same_records() {
    let run = run();
    // The columns of two kinds of files, in two stages; and as many records in each of three formats.
    assert_eq!(
        checked("check_files.py", &run),
        "2 stages: 154 columns as documented, 228 records the same\n"
    );
    assert_eq!(checked("check_timeline.py", &run), "2 timelines agree with their records\n");
    // Thirteen figures of two stages, by four programs.
    assert_eq!(checked("check_analysis.py", &run), "104 figures of 2 stages agree\n");
}

#[test]
fn a_report_makes_the_timeline_again_and_the_formats_that_are_asked_for() {
    let run = run();
    let path = |file: &str| run.path().join("parallel_8_number_60").join(file);
    let names = ["timeline.parquet", "requests.csv", "requests.jsonl"];
    let written = names.map(|name| std::fs::read(path(name)).unwrap());
    for name in names {
        std::fs::remove_file(path(name)).unwrap();
    }
    let output =
        tickrate(run.folder.path(), "report outputs/run --format csv --format jsonl").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    for (name, written) in names.into_iter().zip(written) {
        assert!(std::fs::read(path(name)).unwrap() == written, "{name} is not what the run wrote");
    }
}

#[test]
fn the_servers_own_metrics_are_those_that_it_had() {
    let truth = tempfile::NamedTempFile::new().unwrap();
    let server = sim(SimSpec {
        ttft: "60".parse().unwrap(),
        itl: "10".parse().unwrap(),
        slots: 3,
        truth: Some(truth.path().to_path_buf()),
        ..SimSpec::default()
    });
    let url = server.url();
    let flags = format!(
        "--no-test-connection --prompt hello --max-tokens 30 --parallel 5 --number 25 \
         --server-metrics {url}/metrics --server-metrics-interval 0.05"
    );
    let run = perf(&chat(&url), &flags).ended(0);
    server.stop();
    let script = root().join("tests/python/check_server_metrics.py");
    let output = Command::new(python(&[])).arg(script).arg(run.path()).arg(truth.path()).output().unwrap();
    let said = String::from_utf8([&output.stdout[..], &output.stderr[..]].concat()).unwrap();
    assert!(output.status.success() && said.starts_with("agree at "), "{said}");
}

#[test]
fn a_server_that_tells_no_metrics_costs_the_run_nothing() {
    let server = sim(SimSpec::default());
    let url = server.url();
    let flags =
        format!("--no-test-connection --prompt hello --number 2 --max-tokens 3 --server-metrics {url}/none");
    let run = perf(&chat(&url), &flags).ended(0);
    let told = format!("requests to \"{url}/none\" failed, the first with: HTTP 404");
    assert!(
        run.stdout().contains("warning: --server-metrics: ") && run.stdout().contains(&told),
        "{}",
        run.printed()
    );
    assert_eq!(run.records().len(), 2);
}
