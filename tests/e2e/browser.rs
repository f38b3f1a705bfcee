//! The report as a reader sees it: in Chromium, by keyboard, in the dark and on a phone.

use std::path::Path;
use std::process::Command;

use tickrate::sim::SimSpec;

use crate::running::{data, perf_on, root, sim, tickrate};

/// What a script of `tests/browser` says; it must have ended well.
#[track_caller]
pub fn checked(script: &str, page: &Path, name: &str) {
    let mut command = Command::new("python3");
    let output = command.arg(root().join("tests/browser").join(script)).arg(page).arg(name).output().unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said);
    assert_eq!((said.trim(), output.status.code()), ("nothing is wrong", Some(0)));
}

#[test]
fn a_report_can_be_read_by_anyone_and_reaches_nothing() {
    let spec = SimSpec {
        ttft: "exp:10".parse().unwrap(),
        itl: "exp:1".parse().unwrap(),
        faults: vec!["http_500_html:0.1".parse().unwrap()],
        seed: 4,
        ..SimSpec::default()
    };
    let server = sim(spec);
    let evil = "</script><script>alert('1')</script>&\"<b>";
    let folder = tempfile::tempdir().unwrap();
    let words = "perf --no-test-connection --prompt hello --max-tokens 8 --parallel 1 2 4 --number 20 40 60 \
                 --sleep-interval 0 --no-timestamp --name run";
    let url = format!("{}/v1/chat/completions", server.url());
    let output = tickrate(folder.path(), words).args(["--model", evil, "--url", &url]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    checked("check_report.py", &folder.path().join("outputs/run/report.html"), evil);
}

#[test]
fn conversations_and_an_open_loop_can_be_read_as_well() {
    let spec = SimSpec {
        ttft: "exp:10".parse().unwrap(),
        itl: "exp:1".parse().unwrap(),
        faults: vec!["http_500_html:0.05".parse().unwrap()],
        seed: 5,
        ..SimSpec::default()
    };
    let talk = data("custom_multi_turn.jsonl");
    let talk = talk.to_str().unwrap();
    let conversations = format!(
        "--no-test-connection --dataset custom_multi_turn --multi-turn --dataset-path {talk} --max-tokens 8 \
         --parallel 1 2 4 --number 4 12 20"
    );
    let open = "--no-test-connection --prompt hello --max-tokens 8 --open-loop --rate 50 100 200 --number 20 40 60 \
                --goodput ttft:30";
    for flags in [conversations.as_str(), open] {
        let run = perf_on(spec.clone(), flags).ended(0);
        checked("check_report.py", &run.path().join("report.html"), "tiny");
    }
}

#[test]
fn a_report_is_the_same_when_it_is_made_again() {
    let flags =
        "--no-test-connection --prompt hello --max-tokens 5 --parallel 1 2 --number 20 30 --warmup-num 2";
    let run = perf_on(SimSpec::default(), flags).ended(0);
    let file = run.path().join("report.html");
    let written = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let output = tickrate(run.folder.path(), "report outputs/run").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(std::fs::read_to_string(&file).unwrap() == written, "the page is not what the run had written");
    assert!(written.len() < 400_000, "{} bytes", written.len());
}
