//! What is secret is sent to the server and shown nowhere else.

use std::path::Path;

use tickrate::sim::SimSpec;

use crate::raw_server::RawServer;
use crate::running::{Run, chat, failure, files, perf, sim, tickrate};

const KEY: &str = "sk-very-secret-1234";

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[track_caller]
fn assert_nowhere(run: &Run, secret: &str) {
    assert!(!run.stdout().contains(secret), "on standard output:\n{}", run.stdout());
    assert!(!run.stderr().contains(secret), "on standard error:\n{}", run.stderr());
    for file in files(run.folder.path()) {
        assert!(!holds(&std::fs::read(&file).unwrap(), secret), "in {}", file.display());
    }
}

fn names(folder: &Path) -> Vec<String> {
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files(folder).iter().map(|path| name(path)).collect()
}

#[test]
fn a_key_that_the_server_repeats_is_in_no_file_and_no_line() {
    let server = sim(SimSpec::default());
    // Several rows and a text column, so that Parquet has dictionaries and statistics to keep it in.
    let flags = format!(
        "--api-key {KEY} --no-test-connection --prompt hello --number 5 --save-text --debug --log-every-n-query 1 \
         --extra-args {{\"sim_fault\":\"echo_auth\"}}"
    );
    let run = perf(&chat(&server.url()), &flags).ended(4);
    for record in run.records() {
        assert_eq!(record.status, Some(401));
        let (kind, message) = failure(&record);
        assert_eq!(kind, "http_status");
        assert!(message.ends_with("is not valid: [redacted]"), "the server did repeat it: {message}");
    }
    let written = names(run.folder.path());
    for file in ["requests.parquet", "benchmark.log", "run.json", "summary.json"] {
        assert!(written.iter().any(|name| name == file), "{file} of {written:?}");
    }
    assert_nowhere(&run, KEY);
    assert_eq!(tickrate(&run.path(), "report .").output().unwrap().status.code(), Some(0));
    assert_nowhere(&run, KEY);
}

#[test]
fn a_key_that_the_server_repeats_at_the_connection_test_is_not_told() {
    let server = sim(SimSpec::default());
    let flags = format!("--api-key {KEY} --prompt hello --extra-args {{\"sim_fault\":\"echo_auth\"}}");
    let run = perf(&chat(&server.url()), &flags).ended(3);
    assert!(
        run.stderr().contains("[redacted]") && run.stderr().contains("check --api-key"),
        "{}",
        run.stderr()
    );
    assert_nowhere(&run, KEY);
}

#[test]
fn a_key_in_a_header_or_in_the_url_is_not_shown_either() {
    let server = RawServer::kind();
    let url = format!("{}/v1/chat/completions?api_key=url-{KEY}", server.url());
    let flags = format!("--headers X-Api-Key=header-{KEY} X-Trace=visible --prompt hello --number 2");
    let run = perf(&url, &flags).ended(0);
    let heard = server.heard();
    assert_eq!(heard.len(), 3, "the connection test and two requests");
    for request in heard {
        assert_eq!(request.header("x-api-key"), Some(format!("header-{KEY}").as_str()));
        assert!(request.target().ends_with(&format!("api_key=url-{KEY}")), "{}", request.target());
    }
    assert_nowhere(&run, KEY);
    assert!(run.json("run.json")["config"]["connection"]["headers"].to_string().contains("X-Trace=visible"));
}

#[test]
fn a_url_that_is_completed_is_told_without_its_secrets() {
    let server = RawServer::kind();
    let url = format!("http://user:{KEY}@{}", server.address);
    let run = perf(&url, "--prompt hello --number 1").ended(0);
    assert!(run.stdout().contains("auto-appended \"/v1/chat/completions\""), "{}", run.stdout());
    assert_nowhere(&run, KEY);
}

#[test]
fn a_url_that_cannot_be_reached_is_told_without_its_secrets() {
    let url = format!("http://user:{KEY}@127.0.0.1:1/v1/chat/completions?token=t-{KEY}");
    let run = perf(&url, "--prompt hello --number 1 --no-test-connection").ended(4);
    assert_nowhere(&run, KEY);
}

#[test]
fn a_key_in_a_stream_that_fails_is_hidden() {
    let server = RawServer::start(|heard| {
        let echo = heard.header("authorization").unwrap_or_default();
        let body = format!("data: {{\"error\":{{\"message\":\"who is {echo}?\"}}}}\n\n");
        let length = body.len();
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into()
    });
    let flags = format!("--api-key {KEY} --prompt hello --number 2 --no-test-connection");
    let run = perf(&chat(&server.url()), &flags).ended(4);
    assert_eq!(failure(&run.records()[0]), ("stream_error", "who is [redacted]?"));
    assert_nowhere(&run, KEY);
}
