//! The figures that were printed, computed again by programs that know nothing of tickrate.

use std::path::PathBuf;
use std::process::Command;

use tickrate::sim::SimSpec;

use crate::running::{perf_on, root};

/// The interpreter of a virtual environment that has what `arguments` name; made once.
pub fn python(arguments: &[&str]) -> PathBuf {
    let output = Command::new("python3")
        .arg(root().join("tests/python/venv.py"))
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("this test needs python3");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the packages of this test cannot be had:\n{told}");
    String::from_utf8(output.stdout).expect("a path").trim().into()
}

#[test]
fn duckdb_and_pandas_compute_the_same_figures_from_the_records() {
    let python = python(&[]);
    let spec = SimSpec {
        ttft: "exp:5".parse().unwrap(),
        itl: "exp:1".parse().unwrap(),
        faults: vec!["http_401:0.1".parse().unwrap(), "no_usage:0.1".parse().unwrap()],
        tokens_per_frame: 2,
        seed: 4,
        ..SimSpec::default()
    };
    let flags =
        "--no-test-connection --prompt hello --max-tokens 2 20 --parallel 1 8 --number 10 60 --warmup-num 3";
    let run = perf_on(spec, flags).ended(0);
    let check = || {
        let script = root().join("tests/python/check_records.py");
        let output = Command::new(&python).arg(script).arg(run.path()).output().unwrap();
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = check();
    assert_eq!(code, Some(0), "{said}");
    // Thirteen rows of nine columns, twice, for each of two stages.
    assert_eq!(said, "468 figures of 2 stages compared, 0 differ\n");

    let file = run.path().join("parallel_8_number_60/percentiles.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut rows: serde_json::Value = serde_json::from_str(&text).unwrap();
    rows[9]["TTFT (ms)"] = serde_json::json!(rows[9]["TTFT (ms)"].as_f64().unwrap() + 0.001);
    std::fs::write(&file, rows.to_string()).unwrap();
    let (code, said) = check();
    assert_eq!(code, Some(1), "a figure that is wrong is noticed");
    assert!(said.contains("TTFT (ms), 99%") && said.contains("2 differ"), "{said}");
}
