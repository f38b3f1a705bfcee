//! Hostile plugins. Each test is named as the file in `tests/guests/misbehave/src` that it is about; those
//! that are no guests are in `files`. A test knows the exact error, and that the other records are whole.

mod answers;
mod files;
mod reach;
mod resources;

use serde_json::{Value, json};
use tickrate::record::RequestRecord;
use tickrate::sim::{RunningSim, SimSpec};

use crate::running::{Run, chat, failure, guest, perf, sim};

/// What an instance may have, which is the default.
const MEMORY_MIB: &str = "256";

/// Requests of a run whose API misbehaves.
const REQUESTS: usize = 21;

fn server() -> RunningSim {
    sim(SimSpec { ttft: "2".parse().unwrap(), itl: "1".parse().unwrap(), ..SimSpec::default() })
}

/// `{"do": misdeed, "how": how}`, for each of these calls of a function: 3 means every third.
fn misdeed(name: &str, how: &str, at: &str, every: u32) -> Value {
    json!({"do": name, "how": how, "at": at, "every": every})
}

/// A run of a plugin as `--api` or `--dataset`, on a server that answers in some 12 ms.
fn plugged(role: &str, options: &Value, number: usize) -> Run {
    let server = server();
    let plugin = guest("misbehave");
    // What never ends is waited for; anything else may take its time on a busy machine.
    let timeout = if options["do"] == "never_returns" { "0.2" } else { "20" };
    let (number, options) = (number.to_string(), options.to_string());
    let (plugin, args) = (plugin.to_str().unwrap(), format!("--{role}-args"));
    let mut flags = vec!["--parallel", "2", "--number", &number, "--max-tokens", "8", "--no-test-connection"];
    flags.extend(["--plugin-timeout", timeout, "--plugin-memory", MEMORY_MIB]);
    flags.extend([if role == "api" { "--api" } else { "--dataset" }, plugin, &args, &options]);
    if role == "api" {
        flags.extend(["--prompt", "hello"]);
    }
    perf(&chat(&server.url()), flags.as_slice())
}

/// A message without the folder that the guest was built in.
fn without_folder(message: &str) -> String {
    let Some((before, after)) = message.split_once("panicked at ") else { return message.to_string() };
    let (_, file) = after.split_once("src/").expect("a file of the guest");
    format!("{before}panicked at {file}")
}

/// The records that are as they should be, and the others; the former are looked at.
fn told_apart(run: &Run) -> (Vec<RequestRecord>, Vec<RequestRecord>) {
    let (good, bad): (Vec<_>, Vec<_>) = run.records().into_iter().partition(RequestRecord::ok);
    for record in &good {
        let frames = record.token_frames.len();
        // The misbehaving API takes all that it is sent for words.
        assert!((8..=11).contains(&frames), "{frames} frames in {:?}", record.key);
        assert!(record.sent.is_some() && record.ttft_ms.unwrap() >= 2.0, "{:?}", record.key);
        assert!(record.latency_ms.unwrap() >= 9.0, "{:?}", record.latency_ms);
        assert!(record.token_frames.is_sorted_by_key(|frame| frame.at.0), "{:?}", record.key);
    }
    (good, bad)
}

/// The misdeed in every third call of `shape` or `parse`: a failed record each, among whole ones.
#[track_caller]
fn fails_in(at: &str, name: &str, how: &str, told: &str) {
    fails_as("plugin", at, name, how, told);
}

/// The same with the kind of the failure.
#[track_caller]
fn fails_as(kind: &str, at: &str, name: &str, how: &str, told: &str) {
    let run = plugged("api", &misdeed(name, how, at, 3), REQUESTS).ended(0);
    let (good, bad) = told_apart(&run);
    assert_eq!(good.len() + bad.len(), REQUESTS, "{}", run.printed());
    assert!(!bad.is_empty() && good.len() >= 2 * bad.len(), "{} good, {} bad", good.len(), bad.len());
    for record in &bad {
        let (found, message) = failure(record);
        assert_eq!((found, &*without_folder(message)), (kind, told));
        assert!(record.ttft_ms.is_none() && record.tokens.output.is_none(), "nothing is made up");
        // What the transport measured is kept.
        assert_eq!((record.sent.is_some(), record.latency_ms.is_some()), (at == "parse", at == "parse"));
    }
    assert!(run.stdout().contains(&format!("failed ({kind})")), "{}", run.stdout());
}

/// The misdeed while the plugin is opened: one line, and nothing has been sent.
#[track_caller]
fn fails_in_open(name: &str, how: &str, told: &str) {
    let run = plugged("api", &misdeed(name, how, "open", 1), REQUESTS).ended(2);
    assert_eq!(without_folder(&run.stderr()), format!("error: --api: {told}\n"));
    assert!(run.records().is_empty());
}

/// The misdeed in the second batch of conversations: the run ends, with the records of the first.
#[track_caller]
fn fails_in_next(name: &str, how: &str, told: &str) {
    let run = plugged("dataset", &misdeed(name, how, "next", 2), 40).ended(1);
    let told = format!("error: {told}; the records made until then are in \"outputs/run\"\n");
    assert_eq!(without_folder(&run.stderr()), told);
    let (good, bad) = told_apart(&run);
    assert!(bad.is_empty(), "{bad:?}");
    assert_eq!(good.len(), 16, "{}", run.printed());
}
