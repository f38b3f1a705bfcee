//! Command lines, and files that they name, which cannot be used: told at once, before any request.

use std::path::Path;
use std::process::Output;

use crate::raw_server::RawServer;
use crate::running::{command, data, tickrate};

const SECRET: &str = "sk-very-secret-1234";

/// What a bad command line says, with what differs between two runs of the tests replaced.
fn told(folder: &Path, url: &str, output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let tests = data("");
    let text = text.replace(&folder.display().to_string(), "FOLDER").replace(url, "URL");
    text.replace(tests.to_str().unwrap().trim_end_matches('/'), "DATA")
}

/// Each of these is told with exit code 2, and the server hears of none of them.
#[test]
fn bad_flags_are_told_in_a_line_each_before_any_request() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty.txt"), "").unwrap();
    std::fs::write(folder.path().join("broken.jsonl"), "{\"question\": \"fine\"}\n{\"question\n").unwrap();
    std::fs::write(folder.path().join("broken.json"), "{").unwrap();
    std::fs::create_dir(folder.path().join("no-tokenizer")).unwrap();
    for (name, bytes) in [
        ("broken.csv", &b"answer\nno question\n"[..]),
        ("broken.parquet", b"PAR1 no PAR1"),
        ("broken.arrow", b"ARROW1"),
        ("broken.jsonl.gz", b"\x1f\x8b\x08 no gzip"),
        ("broken.jsonl.zst", b"\x28\xb5\x2f\xfd no zstd"),
        ("questions.jsonl", b"{\"question\": \"fine\"}\n"),
        ("numbers.jsonl", b"{\"text\": 5}\n"),
    ] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let server = RawServer::kind();
    let url = format!("{}/v1/chat/completions", server.url());
    let cases: &[&[&str]] = &[
        &["--parallel", "1", "2", "--number", "5"],
        &["--parallel", "0", "--number", "0"],
        &["--number", "many"],
        &["--no-such-flag"],
        &["--paralel", "5"],
        &["--api", "nonsense", "--prompt", "hello"],
        &["--api", "missing.wasm", "--prompt", "hello"],
        &["--dataset", "nonsense"],
        &["--dataset", "random"],
        &["--dataset", "line_by_line"],
        &["--dataset", "line_by_line", "--dataset-path", "missing.txt"],
        &["--dataset", "openqa", "--dataset-path", "empty.txt"],
        &["--dataset", "openqa", "--dataset-path", "broken.json"],
        &["--dataset", "line_by_line", "--dataset-path", "empty.txt", "--min-prompt-length", "9"],
        &["--extra-args", "{\"a\": 1,\n \"b\": }"],
        &["--extra-args", "[1]"],
        &["--query-template", "@missing.json"],
        &["--query-template", "@broken.json"],
        &["--prompt", "@missing.txt"],
        &["--tokenizer-path", "missing"],
        &["--tokenizer-path", "no-tokenizer"],
        &["--tokenizer-path", "empty.txt"],
        &["--tokenize-prompt"],
        &["--headers", "X-Fine=yes", SECRET],
        &["--headers", "X Secret=sk-very-secret-1234"],
        &["--headers", "X-Key=sk-very-secret-1234\nX-Other: 1"],
        &["--headers", "A=1", "a=2"],
        &["--rate", "0"],
        &["--warmup-num", "-3"],
        &["--read-timeout", "0", "--total-timeout", "-1"],
        &["--max-tokens", "9", "5"],
        &["--min-prompt-length", "9", "--max-prompt-length", "5"],
        &["--api-args", "{\"x\":1}", "--prompt", "hello"],
        &["--dataset", "custom", "--dataset-path", "empty.txt", "--dataset-args", "{\"x\":1}"],
        &["--data-source", "nowhere"],
        &["--compat", "guidellm"],
        &["--ramp", "10:0:5"],
        &["--steps", "10:30", "50"],
        &["--goodput", "ttft:-1"],
        &["--burstiness", "0"],
        &["--cancel-rate", "2", "--cancel-after", "0"],
        &["--clock", "kernel", "--url", "https://127.0.0.1:1/v1/chat/completions"],
        &["--max-concurrency", "4"],
        &["--open-loop", "--rate", "5", "10", "--number", "5"],
        &["--rate", "5", "10"],
        &["--sla-auto-tune"],
        &["--sla-auto-tune", "--sla-params", "[{\"p99_ttft\": \"2s\"}]"],
        &["--sla-auto-tune", "--sla-params", "[{\"speed\": \"max\"}]"],
        &["--sla-auto-tune", "--sla-params", "{"],
        &[
            "--sla-auto-tune",
            "--sla-params",
            "[{\"rps\": \"max\"}]",
            "--sla-lower-bound",
            "9",
            "--sla-upper-bound",
            "5",
        ],
        &["--sla-params", "[{\"rps\": \"max\"}]"],
        &["--sla-auto-tune", "--sla-params", "{\"rps\": \"max\"}"],
        &["--sla-auto-tune", "--sla-params", "[{\"p99_ttft\": \"<=2 parsecs\"}]"],
        &["--sla-auto-tune", "--sla-params", "@missing.json"],
        &["--sla-auto-tune", "--sla-params", "[{\"rps\": \"max\"}]", "--sla-variable", "users"],
        &[
            "--sla-auto-tune",
            "--sla-params",
            "[{\"rps\": \"max\"}]",
            "--sla-num-runs",
            "0",
            "--sla-lower-bound",
            "0",
            "--sla-fixed-parallel",
            "0",
            "--sla-number-multiplier",
            "nan",
        ],
        &[
            "--temperature",
            "-1",
            "--top-p",
            "1.5",
            "--frequency-penalty",
            "nan",
            "--repetition-penalty",
            "inf",
        ],
        &["--n-choices", "0"],
        &["--warmup-num", "inf"],
        &["--arrival", "uniform"],
        &["--retries=-1"],
        &["--goodput", "speed:5"],
        &["--ramp", "1:5:60", "--steps", "1:5"],
        &["--multi-turn-args", "{"],
        &["--num-workers", "-1"],
        &["--dataset", "random_multi_turn", "--multi-turn", "--min-turns", "0"],
        &["--open-loop", "--prompt", "hello"],
        &["--dataset", "openqa", "--dataset-path", "broken.csv"],
        &["--dataset", "openqa", "--dataset-path", "broken.parquet"],
        &["--dataset", "openqa", "--dataset-path", "broken.arrow"],
        &["--dataset", "openqa", "--dataset-path", "broken.jsonl.gz"],
        &["--dataset", "openqa", "--dataset-path", "broken.jsonl.zst"],
        &["--dataset", "openqa", "--dataset-path", "no-tokenizer"],
        &["--dataset", "share_gpt_en", "--dataset-path", "questions.jsonl"],
        &["--dataset", "embedding", "--dataset-path", "numbers.jsonl"],
        &["--dataset", "swe_smith", "--multi-turn", "--dataset-path", "questions.jsonl"],
        &["--dataset", "workload_trace", "--open-loop", "--dataset-path", "questions.jsonl"],
        &["--api", "openai_rerank", "--api-args", "{\"x\":1}", "--prompt", "hello"],
        &[
            "--api",
            "anthropic",
            "--tokenize-prompt",
            "--tokenizer-path",
            "DATA/tokenizer",
            "--prompt",
            "hello",
        ],
    ];
    let mut all = String::new();
    for flags in cases {
        let words =
            flags.iter().map(|word| word.replace("DATA", data("").to_str().unwrap().trim_end_matches('/')));
        let output = command(folder.path(), &url, "").args(words).output().unwrap();
        let said = told(folder.path(), &url, &output);
        let code = output.status.code();
        assert_eq!(code, Some(2), "{flags:?}\n{said}\n{}", String::from_utf8_lossy(&output.stdout));
        assert!(!said.contains(SECRET), "{flags:?}: {said}");
        all += &format!("$ tickrate perf {}\n{said}", flags.join(" ").replace('\n', "\\n"));
    }
    let all = all.replace(SECRET, "SECRET");
    insta::assert_snapshot!("bad_flags", all);
    assert_eq!(server.heard().len(), 0, "nothing may be sent");
    assert!(!folder.path().join("outputs").exists(), "a command line that cannot be used leaves no folder");
}

#[test]
fn a_url_that_is_none_and_a_model_that_is_missing_are_told_together() {
    let folder = tempfile::tempdir().unwrap();
    let output = tickrate(folder.path(), "perf --url 127.0.0.1:8801").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: --model: is required: the model's name as the server knows it\n\
         error: --url: \"127.0.0.1:8801\" is not an http:// or https:// URL\n"
    );
}

#[test]
fn a_bad_line_in_the_middle_of_a_dataset_is_named_and_what_came_before_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "{\"question\": \"fine\"}\n".repeat(40) + "{\"question\n";
    std::fs::write(folder.path().join("broken.jsonl"), lines).unwrap();
    let server = RawServer::kind();
    let url = format!("{}/v1/chat/completions", server.url());
    let flags = "--dataset openqa --dataset-path broken.jsonl --number 60 --no-test-connection";
    let output = command(folder.path(), &url, flags).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("line 41 of the dataset file \"broken.jsonl\""), "{said}");
    let records = crate::running::records(&folder.path().join("outputs/run"));
    assert_eq!(records.len(), server.heard().len(), "what the server heard is what the records hold");
    assert!(!records.is_empty() && records.iter().all(|record| record.ok()));
}

#[test]
fn a_report_or_a_recovery_of_nothing_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let run = |words: &str| {
        let output = tickrate(folder.path(), words).output().unwrap();
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    assert_eq!(
        run("report empty"),
        (Some(2), "error: there are no records in \"empty\"; name the folder of a run\n".to_string())
    );
    assert_eq!(run("recover empty"), (Some(0), "nothing to recover in empty\n".to_string()));
    assert_eq!(
        run("recover missing"),
        (Some(2), "error: there is no folder \"missing\": name the output folder of a run\n".to_string())
    );
    std::fs::write(folder.path().join("empty/requests.parquet"), "no Parquet").unwrap();
    let (code, said) = run("report empty");
    assert_eq!((code, said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("empty/requests.parquet"), "{said}");
}
