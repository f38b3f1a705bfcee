//! The datasets in the real binary: each one's small file, or none, becomes requests that a server
//! answers.

use std::process::Command;

use tickrate::record::RequestRecord;
use tickrate::sim::{RunningSim, SimSpec};

use crate::running::{Run, TICKRATE, data, perf, sim};

fn server() -> RunningSim {
    sim(SimSpec { ttft: "1".parse().unwrap(), itl: "0".parse().unwrap(), ..SimSpec::default() })
}

/// A run with a dataset over a file of `tests/data`, or over none.
fn over(server: &RunningSim, name: &str, file: &str, number: u64, more: &[&str]) -> Run {
    let url = format!("{}/v1/chat/completions", server.url());
    let path = data(file).to_str().unwrap().to_string();
    let number = number.to_string();
    let mut flags = vec!["--dataset", name, "--number", &number, "--parallel", "2", "--max-tokens", "3"];
    if !file.is_empty() {
        flags.extend(["--dataset-path", &path]);
    }
    flags.extend(["--no-test-connection", "--save-text", "--seed", "5"]);
    flags.extend(more);
    perf(&url, flags.as_slice())
}

fn ok(run: &Run, expected: usize) -> Vec<RequestRecord> {
    assert_eq!(run.code(), Some(0), "{}", run.printed());
    let mut records = run.records();
    assert!(records.iter().all(RequestRecord::ok), "{}", run.printed());
    assert_eq!(records.len(), expected, "{}", run.printed());
    records.sort_by(|a, b| a.key.request_id.cmp(&b.key.request_id));
    records
}

fn tokenizer() -> String {
    data("tokenizer").to_str().unwrap().to_string()
}

#[test]
fn datasets_of_texts_are_sent() {
    let server = server();
    for (name, file, number, beginning) in [
        ("longalpaca", "longalpaca.json", 2, "Read the report below"),
        ("share_gpt_en", "share_gpt.jsonl", 3, "Name a river."),
        ("share_gpt_zh", "share_gpt.jsonl", 3, "Name a river."),
        ("openqa", "openqa.jsonl", 3, "Why does the tide"),
        ("custom", "embedding.txt", 3, "The tide comes in"),
    ] {
        let run = over(&server, name, file, number, &[]);
        let records = ok(&run, number as usize);
        let prompt = records[0].prompt.clone().unwrap_or_default();
        assert!(prompt.contains(beginning), "{name}: {prompt}");
        assert_eq!(&*records[0].key.dataset, name);
    }
}

#[test]
fn conversations_are_counted_as_such_and_each_turn_is_a_record() {
    let server = server();
    let run = over(&server, "share_gpt_en_multi_turn", "share_gpt.jsonl", 3, &["--multi-turn"]);
    let records = ok(&run, 2 + 1 + 3);
    let deepest = records.iter().max_by_key(|record| record.key.turn).unwrap();
    assert_eq!((deepest.key.turn, deepest.key.input_turns), (2, 3));
    let two = &["--multi-turn", "--max-turns", "2"][..];
    ok(&over(&server, "share_gpt_en_multi_turn", "share_gpt.jsonl", 3, two), 2 + 1 + 2);
    let run = over(&server, "custom_multi_turn", "custom_multi_turn.jsonl", 3, &["--multi-turn"]);
    ok(&run, 2 + 1 + 3);
    assert!(run.stdout().contains("note: 3 of 6 records of the dataset are left out"), "{}", run.printed());
    ok(&over(&server, "swe_smith", "swe_smith.json", 2, &["--multi-turn"]), 3);
    let run = over(&server, "custom_multi_turn", "custom_multi_turn.jsonl", 3, &[]);
    assert_eq!(run.code(), Some(2), "{}", run.printed());
    assert!(run.stderr().contains("requires --multi-turn; add it"), "{}", run.printed());
}

#[test]
fn random_conversations_and_pictures_are_made_up() {
    let server = server();
    let tokenizer = tokenizer();
    let lengths = ["--tokenizer-path", &tokenizer, "--min-prompt-length", "60", "--max-prompt-length", "60"];
    let turns = ["--multi-turn", "--min-turns", "2", "--max-turns", "2"];
    let flags: Vec<&str> = lengths.iter().chain(&turns).copied().collect();
    ok(&over(&server, "random_multi_turn", "", 4, &flags), 8);
    let images = ["--image-num", "2", "--image-width", "64", "--image-height", "32"];
    let flags: Vec<&str> = lengths.iter().chain(&images).copied().collect();
    let records = ok(&over(&server, "random_vl", "", 3, &flags), 3);
    assert!(records.iter().all(|record| record.bytes_out > 300));
}

#[test]
fn agents_wait_for_their_tools_and_ask_for_recorded_lengths() {
    let server = server();
    let tokenizer = tokenizer();
    let flags = ["--multi-turn", "--tokenizer-path", &tokenizer];
    let records = ok(&over(&server, "trie_office_work", "trie.jsonl", 2, &flags), 4);
    let outputs: Vec<Option<u64>> = records.iter().map(|record| record.tokens.output).collect();
    assert_eq!(outputs, [Some(4), Some(5), Some(6), Some(3)]);
    let waited = records[1].sent.unwrap().as_ms() - records[0].completed.as_ms();
    assert!(waited >= 20.0, "{waited} ms");
}

#[test]
fn traces_are_sent_as_they_were_recorded() {
    let server = server();
    // There are six of them, however many are asked for.
    let run = over(&server, "workload_trace", "workload_trace.jsonl", 100, &["--open-loop"]);
    let records = ok(&run, 6);
    ok(&over(&server, "workload_trace", "workload_trace.jsonl", 4, &["--open-loop"]), 4);
    let sent: Vec<f64> = records
        .iter()
        .map(|record| record.sent.unwrap().as_ms() - records[0].sent.unwrap().as_ms())
        .collect();
    for (sent, due) in sent.iter().zip([0.0, 100.0, 200.0, 300.0, 400.0, 500.0]) {
        assert!((sent - due).abs() < 80.0, "{sent} ms and not {due} ms");
    }
    let mut ids: Vec<&str> = records.iter().map(|record| record.labels[0].1.as_str()).collect();
    ids.sort();
    assert_eq!(ids, ["req-0", "req-1", "req-2", "req-3", "req-4", "req-5"]);
    let mut outputs: Vec<u64> = records.iter().filter_map(|record| record.tokens.output).collect();
    outputs.sort();
    assert_eq!(outputs, [4, 5, 6, 7, 8, 9]);
    // The recording goes on through its warm-up, and --duration counts from the first request after it.
    for (more, measured) in [(&[][..], 4), (&["--duration", "0.25"], 3)] {
        let flags = [&["--open-loop", "--warmup-num", "2"], more].concat();
        let run = over(&server, "workload_trace", "workload_trace.jsonl", 100, &flags);
        let records = ok(&run, 2 + measured);
        assert!(records.iter().enumerate().all(|(at, record)| record.key.warmup == (at < 2)));
        let sent: Vec<f64> = records.iter().map(|record| record.sent.unwrap().as_ms()).collect();
        for gap in sent.windows(2).map(|pair| pair[1] - pair[0]) {
            assert!((gap - 100.0).abs() < 80.0, "{sent:?}");
        }
    }
    let tokenizer = tokenizer();
    for (name, file) in [("mooncake_trace", "mooncake.jsonl"), ("azure_trace", "azure.csv")] {
        let flags = ["--tokenizer-path", &tokenizer, "--open-loop", "--dataset-args", r#"{"speed": 2}"#];
        ok(&over(&server, name, file, 9, &flags), 3);
        let run = over(&server, name, file, 3, &flags[..2]);
        ok(&run, 3);
        assert!(run.stdout().contains("do not count in a closed loop"), "{}", run.printed());
    }
}

#[test]
fn texts_are_embedded_and_ranked() {
    let server = server();
    let tokenizer = tokenizer();
    let lengths = ["--tokenizer-path", &tokenizer, "--max-prompt-length", "30", "--min-prompt-length", "30"];
    for (api, path, datasets) in [
        (
            "openai_embedding",
            "/v1/embeddings",
            [
                ("embedding", "embedding.txt"),
                ("embedding_batch", "embedding.jsonl"),
                ("random_embedding_batch", ""),
            ],
        ),
        (
            "openai_rerank",
            "/v1/rerank",
            [("rerank", "rerank.jsonl"), ("random_rerank", ""), ("random_rerank", "")],
        ),
    ] {
        for (name, file) in datasets {
            let url = format!("{}{path}", server.url());
            let path = data(file).to_str().unwrap().to_string();
            let mut flags = vec!["--api", api, "--dataset", name, "--number", "3", "--no-test-connection"];
            if file.is_empty() {
                flags.extend(lengths);
                let extra =
                    if api == "openai_rerank" { r#"{"num_documents": 3}"# } else { r#"{"batch_size": 3}"# };
                flags.extend(["--dataset-args", extra]);
            } else {
                flags.extend(["--dataset-path", &path]);
            }
            let records = ok(&perf(&url, flags.as_slice()), 3);
            assert!(records.iter().all(|record| record.tokens.input > Some(0)), "{name}");
        }
    }
}

#[test]
fn an_offset_and_a_wished_length_change_what_is_sent() {
    let server = server();
    let records = ok(&over(&server, "openqa", "openqa.jsonl", 1, &["--dataset-offset", "1"]), 1);
    assert!(records[0].prompt.as_deref().unwrap().contains("How is bread kept"));
    let tokenizer = tokenizer();
    let options = ["--tokenizer-path", &tokenizer, "--dataset-args", r#"{"target_input_len": 4}"#];
    let records = ok(&over(&server, "openqa", "openqa.jsonl", 1, &options), 1);
    assert!(!records[0].prompt.as_deref().unwrap().contains("twice a day"));
}

#[test]
fn bad_input_ends_the_run_before_it_begins_with_one_clear_line() {
    let server = server();
    for (name, file, more, told) in [
        ("workload_trace", "custom.txt", &[][..], "workload_trace validation failed (3 error(s))"),
        ("workload_trace", "", &[], "requires --dataset-path"),
        ("workload_trace", "workload_trace.jsonl", &[], "requires open-loop mode; add --open-loop"),
        ("openqa", "openqa.jsonl", &["--open-loop"], "give --rate"),
        (
            "workload_trace",
            "workload_trace.jsonl",
            &["--open-loop", "--warmup-num", "6"],
            "--warmup-num: 6 leaves nothing of the 6 requests",
        ),
        ("flickr8k", "custom.txt", &[], "has no picture in a column"),
        ("mooncake_trace", "mooncake.jsonl", &[], "needs a tokenizer; pass --tokenizer-path"),
        ("openqa", "openqa.jsonl", &["--dataset-args", r#"{"colour": 1}"#], "unknown field `colour`"),
        ("openqa", "openqa.jsonl", &["--multi-turn"], "--multi-turn does not go with the dataset"),
        ("openqa", "openqa.jsonl", &["--min-turns", "3", "--max-turns", "2"], "must be >= --min-turns (3)"),
    ] {
        let run = over(&server, name, file, 1, more);
        assert_eq!(run.code(), Some(2), "{}", run.printed());
        assert!(run.stderr().contains(told), "{}", run.printed());
        assert_eq!(run.stderr().trim().lines().count(), 1, "{}", run.printed());
    }
}

#[test]
fn the_datasets_are_listed_and_described() {
    let run = |arguments: &[&str]| {
        let output = Command::new(TICKRATE).arg("datasets").args(arguments).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, listed, _) = run(&[]);
    assert_eq!(code, Some(0));
    for name in ["azure_trace", "longalpaca", "random_multi_turn", "workload_trace"] {
        assert!(listed.lines().any(|line| line.starts_with(name)), "{listed}");
    }
    let (code, described, _) = run(&["openqa"]);
    assert_eq!(code, Some(0));
    assert!(described.contains("open_qa.jsonl of AI-ModelScope/HC3-Chinese"), "{described}");
    let schema = &described[described.find('{').unwrap()..];
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
    assert_eq!(schema["properties"]["input_len_mode"]["default"], "cap");
    let (code, _, told) = run(&["nope"]);
    assert_eq!(code, Some(2));
    assert!(told.contains("the dataset \"nope\" is not known"), "{told}");
}
