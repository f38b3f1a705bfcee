//! WASM components in place of built-ins, good ones and bad ones: a bad one gives a clear error and
//! costs nothing but the requests it was asked about.

use std::path::PathBuf;

use tickrate::contract::FailureKind;
use tickrate::record::RequestRecord;
use tickrate::sim::{RunningSim, SimSpec};

use crate::running::{Run, guest, perf, sim};

fn server() -> RunningSim {
    sim(SimSpec { ttft: "2".parse().unwrap(), itl: "1".parse().unwrap(), ..SimSpec::default() })
}

fn text(path: PathBuf) -> String {
    path.to_str().unwrap().to_string()
}

/// A run with an API and a dataset that are components.
fn plugged(url: &str, api: &str, api_args: &str, dataset_args: &str, dataset: &str) -> Run {
    let (api, dataset) = (text(guest(api)), text(guest(dataset)));
    // A hang is waited for; anything else may take its time on a busy machine.
    let hangs = api_args.contains("hang") || dataset_args.contains("hang");
    let timeout = if hangs { "0.3" } else { "10" };
    perf(
        url,
        &[
            "--api",
            &api,
            "--api-args",
            api_args,
            "--dataset",
            &dataset,
            "--dataset-args",
            dataset_args,
            "--parallel",
            "2",
            "--number",
            "9",
            "--max-tokens",
            "8",
            "--no-test-connection",
            "--plugin-timeout",
            timeout,
            "--plugin-memory",
            "64",
        ],
    )
}

fn good_dataset(url: &str, api: &str, api_args: &str) -> Run {
    plugged(url, api, api_args, "{}", "synthetic-chat")
}

#[test]
fn the_apis_of_ollama_and_tgi_are_spoken_by_components() {
    let server = server();
    for (api, path) in [
        ("ollama-chat", "/api/chat"),
        ("tgi-generate", "/generate_stream"),
        ("openai-chat", "/v1/chat/completions"),
    ] {
        let run = good_dataset(&format!("{}{path}", server.url()), api, "{}");
        assert_eq!(run.code(), Some(0), "{api}: {}", run.printed());
        let records = run.records();
        assert_eq!(records.len(), 9);
        for record in &records {
            assert!(record.ok(), "{api}: {:?}", record.failure);
            assert_eq!(record.tokens.output, Some(8), "{api}");
            assert!(record.tokens.input.is_some(), "{api}");
            assert_eq!(record.token_frames.len(), 8, "{api}");
            assert!(record.ttft_ms.unwrap() >= 2.0 && record.latency_ms.unwrap() >= 9.0);
        }
        let plugins = run.json("run.json")["plugins"].clone();
        assert_eq!(plugins[0]["role"], "api");
        assert_eq!(plugins[0]["name"], api);
        assert_eq!(plugins[0]["sha256"].as_str().unwrap().len(), 64);
        assert_eq!(plugins[1]["name"], "synthetic-chat");
    }
}

#[test]
fn the_same_seed_makes_the_same_conversations() {
    let server = server();
    let prompts = |seed: &str| {
        let dataset = text(guest("synthetic-chat"));
        let url = format!("{}/v1/chat/completions", server.url());
        let run = perf(
            &url,
            &["--dataset", &dataset, "--number", "6", "--seed", seed, "--save-text", "--max-tokens", "2"],
        );
        run.records().into_iter().map(|record| record.prompt.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(prompts("5"), prompts("5"));
    assert_ne!(prompts("5"), prompts("6"));
}

/// What a plugin does wrong in a parse costs that reply its figures, and no other.
#[test]
fn a_bad_parse_is_a_failed_record_among_good_ones() {
    let server = server();
    let url = format!("{}/v1/chat/completions", server.url());
    for (mode, told) in [
        ("trap", "crashed in \"parse\""),
        ("hang", "ran longer than 0.3 s in \"parse\""),
        ("bomb", "--plugin-memory"),
        ("bad_frames", "frame"),
        ("bad_text", "text"),
        ("huge_output", "MiB"),
        ("error", "told to"),
    ] {
        let run = good_dataset(&url, "misbehave", &format!(r#"{{"mode":"{mode}","at":"parse","every":3}}"#));
        assert_eq!(run.code(), Some(0), "{mode}: {}", run.printed());
        let records = run.records();
        assert_eq!(records.len(), 9, "{mode}");
        let (good, bad): (Vec<RequestRecord>, Vec<_>) = records.into_iter().partition(RequestRecord::ok);
        assert!(!bad.is_empty() && good.len() >= 5, "{mode}: {} good, {} bad", good.len(), bad.len());
        for record in &bad {
            let failure = record.failure.as_ref().unwrap();
            assert_eq!(failure.kind, FailureKind::Plugin, "{mode}");
            assert!(failure.message.contains(told), "{mode}: {}", failure.message);
            assert!(!failure.message.contains('\n'), "{mode}: {}", failure.message);
            assert!(record.latency_ms.is_some(), "what the transport measured is kept");
        }
        assert!(good.iter().all(|record| record.token_frames.len() >= 8), "{mode}");
        assert!(run.stdout().contains("failed (plugin)"), "{}", run.stdout());
    }
}

#[test]
fn a_bad_shape_is_a_record_of_a_request_that_was_never_sent() {
    let server = server();
    let url = format!("{}/v1/chat/completions", server.url());
    for mode in ["trap", "hang", "bad_header", "error"] {
        let run = good_dataset(&url, "misbehave", &format!(r#"{{"mode":"{mode}","at":"shape","every":3}}"#));
        assert_eq!(run.code(), Some(0), "{mode}: {}", run.printed());
        let records = run.records();
        assert_eq!(records.len(), 9, "{mode}");
        let bad: Vec<_> = records.iter().filter(|record| !record.ok()).collect();
        assert!(!bad.is_empty(), "{mode}");
        assert!(bad.iter().all(|record| record.sent.is_none() && record.ttft_ms.is_none()), "{mode}");
    }
}

#[test]
fn a_component_that_cannot_be_opened_ends_the_run_before_it_begins() {
    let server = server();
    let url = format!("{}/v1/chat/completions", server.url());
    for (mode, told) in [("trap", "crashed"), ("hang", "ran longer than"), ("error", "told to")] {
        let run = good_dataset(&url, "misbehave", &format!(r#"{{"mode":"{mode}","at":"open"}}"#));
        assert_eq!(run.code(), Some(2), "{mode}: {}", run.printed());
        assert_eq!(run.stderr().lines().count(), 1, "{}", run.stderr());
        assert!(run.stderr().starts_with("error: --api: "), "{}", run.stderr());
        assert!(run.stderr().contains(told), "{mode}: {}", run.stderr());
        assert!(run.records().is_empty());
    }
}

#[test]
fn a_dataset_that_fails_ends_the_run_and_keeps_its_records() {
    let server = server();
    let url = format!("{}/v1/chat/completions", server.url());
    for (mode, told) in [
        ("trap", "crashed in \"next\""),
        ("hang", "ran longer than"),
        ("empty", "has no turns"),
        ("flood", "10 conversations when asked for"),
        ("error", "told to"),
    ] {
        let args = format!(r#"{{"mode":"{mode}","at":"next"}}"#);
        let run = plugged(&url, "openai-chat", "{}", &args, "misbehave");
        assert_eq!(run.code(), Some(1), "{mode}: {}", run.printed());
        assert!(run.stderr().contains(told), "{mode}: {}", run.stderr());
        assert_eq!(run.stderr().lines().count(), 1, "{}", run.stderr());
        assert!(run.path().join("run.json").exists());
    }
}

#[test]
fn what_is_no_plugin_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_string()
    };
    let truncated = std::fs::read(guest("openai-chat")).unwrap();
    for (api, told) in [
        (file("text.wasm", b"not wasm at all"), "text.wasm"),
        (file("core.wasm", b"\0asm\x01\0\0\0"), "component"),
        (file("empty.wasm", b"\0asm\x0d\0\x01\0"), "export"),
        (file("cut.wasm", &truncated[..truncated.len() / 2]), "cut.wasm"),
        (file("none.wasm", b""), "none.wasm"),
        ("missing.wasm".to_string(), "missing.wasm"),
        (text(guest("synthetic-chat")), "api"),
    ] {
        let run = perf("http://127.0.0.1:9/v1/chat/completions", &["--api", &api, "--prompt", "x"]);
        assert_eq!(run.code(), Some(2), "{api}: {}", run.printed());
        assert!(run.stderr().starts_with("error: --api: "), "{}", run.stderr());
        assert!(run.stderr().contains(told), "{told}: {}", run.stderr());
        assert_eq!(run.stderr().lines().count(), 1, "{}", run.stderr());
    }
}

#[test]
fn the_smallest_example_does_what_its_readme_says() {
    let server = server();
    let dataset = text(guest("arithmetic"));
    let url = format!("{}/v1/chat/completions", server.url());
    let run = perf(
        &url,
        &["--dataset", &dataset, "--parallel", "4", "--number", "40", "--save-text", "--max-tokens", "2"],
    );
    assert_eq!(run.code(), Some(0), "{}", run.printed());
    let prompts: Vec<String> = run.records().into_iter().map(|record| record.prompt.unwrap()).collect();
    assert_eq!(prompts.len(), 40);
    assert!(prompts.iter().all(|prompt| prompt.starts_with("What is ") && prompt.contains(" + ")));
}

#[test]
fn conversations_of_several_turns_carry_the_servers_replies_and_hit_its_cache() {
    let server =
        sim(SimSpec { ttft: "2".parse().unwrap(), prefix_cache_blocks: Some(4096), ..SimSpec::default() });
    let dataset = text(guest("synthetic-chat"));
    let flags = [
        "--dataset",
        &dataset,
        "--dataset-args",
        "{\"turns\": 3, \"min_words\": 40, \"max_words\": 40}",
        "--number",
        "4",
        "--parallel",
        "2",
        "--max-tokens",
        "20",
    ];
    let run = perf(&format!("{}/v1/chat/completions", server.url()), &flags);
    assert_eq!(run.code(), Some(0), "{}", run.printed());
    let records = run.records();
    assert_eq!(records.len(), 12, "four conversations of three turns");
    for record in &records {
        // Each turn sends the ones before it again, with the replies to them.
        let before = records.iter().filter(|other| {
            other.key.conversation_id == record.key.conversation_id && other.key.turn < record.key.turn
        });
        let sent: u64 = before.map(|other| other.tokens.input.unwrap() + 20).max().unwrap_or(0);
        assert!(record.tokens.input.unwrap() > sent, "{:?}", record.key);
        assert!((record.key.turn == 0) == (record.tokens.cached.unwrap_or(0) == 0), "{:?}", record.tokens);
    }
    let summary = run.json("parallel_2_number_4/summary.json");
    assert_eq!(summary["Avg Input Turns"], 2.0);
    assert!(summary["KV Cache Hit Rate (%)"].as_f64().unwrap() > 20.0, "{summary}");
    assert!(summary["First-turn TTFT (ms)"].is_f64() && summary["Later-turn TTFT (ms)"].is_f64());
}

#[test]
fn options_are_checked_against_the_plugins_schema() {
    let dataset = text(guest("synthetic-chat"));
    let url = "http://127.0.0.1:9/v1/chat/completions";
    let run = perf(url, &["--dataset", &dataset, "--dataset-args", r#"{"min_words": "many"}"#]);
    assert_eq!(run.code(), Some(2));
    assert!(run.stderr().contains("min_words"), "{}", run.stderr());
}
