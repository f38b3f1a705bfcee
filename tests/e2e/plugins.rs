//! WASM components in place of built-ins. Those that misbehave are in `hostile`.

use std::path::PathBuf;

use tickrate::sim::{RunningSim, SimSpec};

use crate::running::{Run, guest, perf, sim};

fn server() -> RunningSim {
    sim(SimSpec { ttft: "2".parse().unwrap(), itl: "1".parse().unwrap(), ..SimSpec::default() })
}

fn text(path: PathBuf) -> String {
    path.to_str().unwrap().to_string()
}

/// A run with an API and the dataset `synthetic-chat`, both components.
fn plugged(url: &str, api: &str) -> Run {
    let (api, dataset) = (text(guest(api)), text(guest("synthetic-chat")));
    let flags = ["--parallel", "2", "--number", "9", "--max-tokens", "8", "--no-test-connection"];
    perf(url, [&["--api", &api, "--dataset", &dataset], flags.as_slice()].concat().as_slice())
}

#[test]
fn the_apis_of_other_servers_are_spoken_by_components() {
    let server = server();
    for (api, path) in [
        ("anthropic-messages", "/v1/messages"),
        ("ollama-chat", "/api/chat"),
        ("tgi-generate", "/generate_stream"),
        ("openai-chat", "/v1/chat/completions"),
    ] {
        let run = plugged(&format!("{}{path}", server.url()), api);
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
