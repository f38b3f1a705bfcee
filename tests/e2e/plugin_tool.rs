//! `tickrate plugin inspect`, `check`, `bench` and `new`, as a plugin's author uses them.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::running::{guest, tickrate};

fn plugin(words: &[&str]) -> Output {
    tickrate(Path::new("."), "plugin").args(words).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The path of a guest as an argument.
fn path(name: &str) -> String {
    guest(name).to_str().unwrap().to_string()
}

#[test]
fn inspect_says_what_a_component_is_and_needs() {
    let file = path("synthetic-chat");
    let text = out(&plugin(&["inspect", &file]));
    for told in [
        "synthetic-chat 0.1.0\n",
        "  contract  0.1.0\n",
        "options (--dataset-args)",
        "\"min_words\"",
        "  tickrate:plugin/dataset@0.1.0\n",
        "tickrate:plugin/host@0.1.0\n      wants the log",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let json: Value = serde_json::from_str(&out(&plugin(&["inspect", "--json", &file]))).unwrap();
    assert_eq!((json["name"].as_str(), json["contract"].as_str()), (Some("synthetic-chat"), Some("0.1.0")));
    assert_eq!(json["bytes"].as_u64(), Some(std::fs::metadata(&file).unwrap().len()));
    assert_eq!(json["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(json["roles"][0]["role"], "dataset");
    assert!(json["roles"][0]["options_schema"]["properties"].is_object());
}

#[test]
fn check_exits_with_what_came_of_it() {
    let good = plugin(&["check", &path("rust-dataset")]);
    assert_eq!(good.status.code(), Some(0), "{}", out(&good));
    assert!(out(&good).ends_with("11 checks, all passed\n"), "{}", out(&good));

    let bad = plugin(&["check", &path("misbehave"), "--api-args", r#"{"do":"deep_recursion","at":"parse"}"#]);
    assert_eq!(bad.status.code(), Some(1), "{}", out(&bad));
    assert!(out(&bad).contains("  FAIL  api parse of malformed replies"), "{}", out(&bad));
    assert!(out(&bad).contains("call stack exhausted"), "{}", out(&bad));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("no.wasm");
    std::fs::write(&file, "text").unwrap();
    let file = file.to_str().unwrap();
    for (words, told) in [
        (vec!["check", file], "is not a WebAssembly component but a text file"),
        (
            vec!["check", &path("rust-api"), "--replies", "missing.jsonl"],
            "cannot read the replies \"missing.jsonl\"",
        ),
        (vec!["check", &path("rust-dataset"), "--replies", file], "is no api"),
        (
            vec!["check", &path("rust-dataset"), "--api-args", "{\"a\":1}"],
            "--api-args: the plugin \"rust-dataset\" is no api; leave it away",
        ),
        (
            vec!["bench", &path("rust-api"), "--dataset-args", "{\"a\":1}"],
            "--dataset-args: the plugin \"rust-api\" is no dataset; ",
        ),
        (
            vec!["check", &path("rust-api"), "--dataset-path", "x"],
            "--dataset-path: the plugin \"rust-api\" is no dataset; ",
        ),
        (vec!["check", &path("rust-api"), "--plugin-timeout", "0"], "--plugin-timeout is \"0\""),
        (vec!["check", &path("rust-api"), "--tokenizer-path", "missing"], "--tokenizer-path: "),
        (vec!["inspect", "missing.wasm"], "cannot read the plugin \"missing.wasm\""),
        (vec!["bench", file], "is not a WebAssembly component"),
    ] {
        let output = plugin(&words);
        assert_eq!((output.status.code(), err(&output).lines().count()), (Some(2), 1), "{}", err(&output));
        assert!(err(&output).contains(told), "{told}: {}", err(&output));
    }
}

#[test]
fn an_error_that_nobody_reads_crashes_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut inspect = tickrate(Path::new("."), "plugin inspect missing.wasm");
    assert_eq!(inspect.stderr(writer).status().unwrap().code(), Some(2));
}

#[test]
fn a_recorded_body_is_parsed_as_curl_saves_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("reply.txt");
    let body = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    std::fs::write(&file, body).unwrap();
    let output = plugin(&["check", &path("openai-chat"), "--replies", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
    for told in [
        "\nreply.txt\n  api                  \"openai-chat\"\n",
        "  finish_reason        \"stop\"\n",
        "  output               \"Hi\"\n",
    ] {
        assert!(out(&output).contains(told), "{told}: {}", out(&output));
    }
}

#[test]
fn recorded_replies_give_whole_records() {
    let folder = tempfile::tempdir().unwrap();
    let piece = |text: &str, at_ms: f64| {
        let data = format!(r#"{{"text":"{text}","tokens":2}}"#);
        serde_json::json!({"event": "piece", "data": data, "at_ms": at_ms})
    };
    let close =
        serde_json::json!({"event": "close", "data": r#"{"reason":"stop","output_tokens":4}"#, "at_ms": 40});
    let lines = [
        serde_json::json!({"frames": [piece("Hé", 12.5), piece("llo", 32.5), close]}),
        serde_json::json!({"frames": [piece("Hé", 12.5)], "complete": false}),
        serde_json::json!({"status": 503, "framing": "whole", "body": r#"{"error":{"message":"busy"}}"#}),
    ];
    let replies = folder.path().join("replies");
    std::fs::create_dir(&replies).unwrap();
    std::fs::write(replies.join("a.jsonl"), lines.map(|line| format!("{line}\n")).concat()).unwrap();
    std::fs::write(
        replies.join("b.txt"),
        "event: piece\ndata: {\"text\":\"Hi\"}\n\nevent: close\ndata: {}\n\n",
    )
    .unwrap();
    let check = |more: &str| {
        let mut check = tickrate(folder.path(), &format!("plugin check --replies replies {more}"));
        let output = check.arg(guest("rust-api")).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}{}", out(&output), err(&output));
        out(&output)
    };
    let text = check("");
    let (checks, records) = text.split_once("\n\n").unwrap();
    assert!(checks.contains("understood: a.jsonl:1, a.jsonl:2, b.txt"), "{checks}");
    insta::assert_snapshot!(records);

    let json: Value = serde_json::from_str(&check("--json --records records.jsonl")).unwrap();
    let written = std::fs::read_to_string(folder.path().join("records.jsonl")).unwrap();
    let written: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let all = json["replies"].as_array().unwrap();
    assert_eq!(written, all.iter().map(|reply| reply["record"].clone()).collect::<Vec<_>>());
    let columns = written[0].as_object().unwrap();
    assert_eq!(columns.len(), tickrate::output::schema::COLUMNS.len());
    assert_eq!(columns["itl_ms"], serde_json::json!([20.0]));
    assert_eq!(columns["time_per_token_ms"], serde_json::json!(10.0));
    assert_eq!((&columns["run_id"], &columns["prompt"]), (&Value::from("check"), &Value::Null));

    let refused = plugin(&["check", &path("rust-api"), "--records", "x"]);
    assert!(refused.status.code() == Some(2) && err(&refused).contains("--replies"), "{}", err(&refused));
    let nowhere =
        plugin(&["check", &path("rust-api"), "--replies", replies.to_str().unwrap(), "--records", "no/x"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(err(&nowhere).starts_with("error: --records: cannot write \"no/x\": "), "{}", err(&nowhere));
}

#[test]
fn bench_measures_and_compares_with_the_native_twin() {
    for (twin, dialect) in [
        ("openai-chat", "openai"),
        ("anthropic-messages", "anthropic"),
        ("ollama-chat", "ollama"),
        ("tgi-generate", "tgi"),
    ] {
        let report: Value = serde_json::from_str(&out(&plugin(&["bench", "--json", &path(twin)]))).unwrap();
        assert_eq!(report["dialect"], dialect);
        let rows = report["rows"].as_array().unwrap();
        for name in
            ["shape, a chat of 1,000 bytes", "parse, 1 frame", "parse, 128 frames", "parse, 4096 frames"]
        {
            let row = rows.iter().find(|row| row["what"] == name);
            let row = row.unwrap_or_else(|| panic!("{name}: {rows:?}"));
            assert!(row["native_best_us"].as_f64().unwrap() > 0.0, "{twin}: {name}");
        }
    }
    let text = out(&plugin(&["bench", &path("rust-api")]));
    assert!(text.contains("  parse, 4096 frames ") && text.ends_with("the dialect of pebble\n"), "{text}");
    let text = out(&plugin(&["bench", &path("arithmetic")]));
    assert!(text.contains("next, 1,000 conversations") && text.contains("µs"), "{text}");
}

#[test]
fn new_makes_a_project_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let new = |words: &str| {
        let output = tickrate(folder.path(), &format!("plugin new {words}")).output().unwrap();
        (output.status.code(), out(&output), err(&output))
    };
    let (code, said, _) = new("--lang python --kind api my-server");
    assert_eq!(code, Some(0));
    assert!(said.contains("my-server/app.py\n") && said.ends_with("\nNext: my-server/README.md\n"), "{said}");
    let readme = std::fs::read_to_string(folder.path().join("my-server/README.md")).unwrap();
    assert!(readme.contains("tickrate plugin check target/guests/my-server.wasm"), "{readme}");
    let (code, _, said) = new("--lang javascript --kind dataset my-server");
    assert_eq!(
        (code, said.as_str()),
        (Some(2), "error: \"my-server\" is not empty; give another folder with --dir\n")
    );
    let (code, _, said) = new("--lang rust --kind api ../x --dir y");
    assert!(code == Some(2) && said.contains("cannot be a plugin's name"), "{said}");
    assert!(!folder.path().join("y").exists());
}
