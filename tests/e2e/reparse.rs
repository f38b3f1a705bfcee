//! `--save-frames` and `tickrate reparse`: what a server said, parsed again without the server.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use tickrate::output::frames;
use tickrate::record::{KeptReply, RequestRecord};
use tickrate::sim::SimSpec;

use crate::raw_server::{RawServer, one_token};
use crate::running::{
    Run, chat, data, failure, guest, perf, records, signal, sim, start, tickrate, wait_until,
};

/// `tickrate reparse` in the folder above the run's.
fn reparse(run: &Run, words: &[&str]) -> Output {
    tickrate(&run.folder.path().join("outputs"), "reparse run").args(words).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn again(run: &Run) -> Vec<RequestRecord> {
    records(&run.folder.path().join("outputs/run-reparsed"))
}

fn kept(folder: &Path) -> Vec<KeptReply> {
    frames::read(folder).unwrap().map(Result::unwrap).collect()
}

/// The records under the name of the API that made them first, without what components do not tell of:
/// frames without output.
fn as_made_by(api: &str, mut records: Vec<RequestRecord>) -> Vec<RequestRecord> {
    for record in &mut records {
        record.key.api = Arc::from(api);
        record.bare_choices.clear();
        record.bare_events.clear();
    }
    records
}

fn server() -> tickrate::sim::RunningSim {
    let faults = ["http_503:0.1", "error_event:0.1", "cut:0.1", "no_usage:0.1", "reset:0.1"]
        .map(|fault| fault.parse().unwrap())
        .to_vec();
    sim(SimSpec { ttft: "2".parse().unwrap(), reasoning_tokens: 2, seed: 5, faults, ..SimSpec::default() })
}

#[test]
fn a_plugin_makes_of_kept_replies_the_records_that_the_built_in_api_made() {
    let server = server();
    let flags = "--prompt hello --parallel 1 3 --number 12 18 --warmup-num 2 --max-tokens 9 --save-frames \
                 --save-text --no-test-connection";
    let run = perf(&chat(&server.url()), flags).ended(0);
    server.stop();
    let made = run.records();
    assert_eq!(made.len(), 34);
    assert!(made.iter().any(|record| !record.ok()) && made.iter().any(RequestRecord::ok));
    let plugin = guest("openai-chat");
    let output = reparse(&run, &["--api", plugin.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let answered = made.iter().filter(|record| record.status.is_some()).count();
    assert!(said(&output).contains(&format!("{answered} replies were parsed again")), "{}", said(&output));
    let reparsed = again(&run);
    assert!(reparsed.iter().all(|record| *record.key.api == *"openai-chat"));
    let reparsed = as_made_by("openai", reparsed);
    assert_eq!(reparsed.len(), made.len());
    for (again, made) in reparsed.iter().zip(&as_made_by("openai", made)) {
        assert_eq!(again, made);
    }
    let new = run.folder.path().join("outputs/run-reparsed");
    for stage in ["parallel_1_number_12", "parallel_3_number_18"] {
        for file in ["summary.json", "percentiles.json"] {
            let of = |folder: &Path| std::fs::read_to_string(folder.join(stage).join(file)).unwrap();
            assert_eq!(of(&new), of(&run.path()), "{stage}/{file}");
        }
    }
    let told: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(new.join("run.json")).unwrap()).unwrap();
    assert_eq!(told["plugins"][0]["name"], "openai-chat");
    assert_eq!(told["reparsed"]["api"], "openai");
    assert!(new.join("performance_summary.txt").exists());
}

#[test]
fn another_dialect_reads_the_same_replies_as_failures_with_the_same_times() {
    let server = sim(SimSpec { ttft: "2".parse().unwrap(), ..SimSpec::default() });
    let run = perf(&chat(&server.url()), "--prompt hello --number 4 --max-tokens 3 --save-frames").ended(0);
    let output = reparse(&run, &["--api", "tgi", "--out", "elsewhere"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let reparsed = records(&run.folder.path().join("outputs/elsewhere"));
    for (new, old) in reparsed.iter().zip(run.records()) {
        assert!(!new.ok() && old.ok());
        assert_eq!((new.sent, new.first_byte, new.closed), (old.sent, old.first_byte, old.closed));
    }
    let twice = reparse(&run, &["--api", "tgi", "--out", "elsewhere"]);
    assert_eq!(twice.status.code(), Some(2));
    assert!(said(&twice).contains("\"elsewhere\" holds records already"), "{}", said(&twice));
}

#[test]
fn tokens_that_no_server_counts_are_counted_again() {
    let body = one_token().replace("\"usage\"", "\"unused\"");
    let server = RawServer::start(move |_| crate::raw_server::json_reply(&body));
    let tokenizer = data("tokenizer");
    let flags = format!(
        "--prompt hello --number 3 --no-stream --save-frames --tokenizer-path {}",
        tokenizer.display()
    );
    let run = perf(&chat(&server.url()), &flags).ended(0);
    let made = run.records();
    assert!(made.iter().all(|record| record.tokens.input.is_some() && record.tokens.output.is_some()));
    let output = reparse(&run, &["--api", "openai"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(again(&run), made);
}

#[test]
fn what_cannot_be_parsed_again_is_said_in_one_line() {
    let server = sim(SimSpec { ttft: "2".parse().unwrap(), ..SimSpec::default() });
    let run = perf(&chat(&server.url()), "--prompt hello --number 2 --max-tokens 2").ended(0);
    for (words, told) in [
        (vec!["--api", "openai"], "frames.parquet\": the run kept no replies; repeat it with --save-frames"),
        (vec!["--api", "openai", "--plugin-timeout", "0"], "--plugin-timeout is \"0\""),
    ] {
        let output = reparse(&run, &words);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(told), "{}", said(&output));
        assert_eq!(said(&output).lines().count(), 1, "{}", said(&output));
    }
    let run = perf(&chat(&server.url()), "--prompt hello --number 2 --max-tokens 2 --save-frames").ended(0);
    for (words, told) in [
        (vec!["--api", "nonesuch"], "--api: "),
        (vec!["--api", "missing.wasm"], "--api: cannot read the plugin \"missing.wasm\""),
    ] {
        let output = reparse(&run, &words);
        assert_eq!((output.status.code(), said(&output).lines().count()), (Some(2), 1), "{}", said(&output));
        assert!(said(&output).contains(told), "{}", said(&output));
        assert!(!run.folder.path().join("outputs/run-reparsed").exists());
    }
}

#[test]
fn kept_replies_survive_a_kill() {
    let server = sim(SimSpec { ttft: "20".parse().unwrap(), ..SimSpec::default() });
    let folder = tempfile::tempdir().unwrap();
    let flags =
        "--no-test-connection --prompt hello --max-tokens 3 --parallel 2 --number 10000 --save-frames";
    let mut child = start(folder.path(), &chat(&server.url()), flags);
    let stage = folder.path().join("outputs/run/parallel_2_number_10000");
    let size = |name: &str| std::fs::metadata(stage.join(name)).map_or(0, |file| file.len());
    wait_until("the journals begin", || size("frames.journal") > 0 && size("requests.journal") > 0);
    let (empty_frames, empty_rows) = (size("frames.journal"), size("requests.journal"));
    wait_until("replies are kept", || {
        size("frames.journal") > empty_frames && size("requests.journal") > empty_rows
    });
    signal(&child, libc::SIGKILL);
    child.wait().unwrap();
    let early = tickrate(folder.path(), "reparse outputs/run --api openai").output().unwrap();
    assert_eq!(early.status.code(), Some(2), "{}", said(&early));
    let recovered = tickrate(folder.path(), "recover outputs").output().unwrap();
    assert!(said(&recovered).contains("recovered kept replies: "), "{}", said(&recovered));
    assert!(!stage.join("frames.journal").exists());
    let output = tickrate(folder.path(), "reparse outputs/run --api openai").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let made = records(&folder.path().join("outputs/run"));
    assert!(!made.is_empty() && made.len().abs_diff(kept(&stage).len()) < 100);
    assert_eq!(records(&folder.path().join("outputs/run-reparsed")), made);
}

#[test]
fn a_key_that_a_reply_repeats_is_not_kept() {
    const KEY: &str = "sk-very-secret-1234";
    let server = RawServer::start(|heard| {
        let echo = heard.header("authorization").unwrap_or_default();
        crate::raw_server::json_reply(&one_token().replace("hi", &format!("you are {echo}")))
    });
    let flags = format!("--api-key {KEY} --prompt hello --number 2 --no-stream --save-frames");
    let run = perf(&chat(&server.url()), &flags).ended(0);
    let stage = run.path().join("parallel_1_number_2");
    let replies = kept(&stage);
    assert_eq!(replies.len(), 2);
    let payload = String::from_utf8(replies[0].framed.payload.clone()).unwrap();
    assert!(payload.contains("you are **************************\""), "{payload}");
    for file in crate::running::files(run.folder.path()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "{}", file.display());
    }
    assert_eq!(reparse(&run, &["--api", "openai"]).status.code(), Some(0));
    assert_eq!(failure_free(&again(&run)), 2);
}

fn failure_free(records: &[RequestRecord]) -> usize {
    records.iter().filter(|record| record.ok() || panic!("{:?}", failure(record))).count()
}
