//! The main job: sweeps, records, tables and files.

use tickrate::sim::SimSpec;

use crate::running::{Run, command, data, perf, sim};

fn chat(url: &str) -> String {
    format!("{url}/v1/chat/completions")
}

/// The main job of the tool, on a small scale, against the truth that the simulator writes.
#[test]
fn a_sweep_writes_everything_and_its_counts_are_the_servers() {
    let truth = tempfile::NamedTempFile::new().unwrap();
    let spec = SimSpec {
        ttft: "20".parse().unwrap(),
        itl: "2".parse().unwrap(),
        truth: Some(truth.path().to_path_buf()),
        ..SimSpec::default()
    };
    let server = sim(spec);
    let tokenizer = data("tokenizer");
    let run = perf(
        &chat(&server.url()),
        &[
            "--parallel",
            "1",
            "4",
            "--number",
            "3",
            "8",
            "--dataset",
            "random",
            "--max-tokens",
            "16",
            "--min-tokens",
            "16",
            "--min-prompt-length",
            "40",
            "--max-prompt-length",
            "40",
            "--tokenizer-path",
            tokenizer.to_str().unwrap(),
            "--extra-args",
            "{\"ignore_eos\": true}",
            "--warmup-num",
            "2",
        ],
    );
    assert_eq!(run.code(), Some(0), "{}", run.printed());
    server.stop();
    for file in ["run.json", "benchmark.log", "performance_summary.txt"] {
        assert!(run.path().join(file).exists(), "{file}\n{}", run.printed());
    }
    let truth: Vec<serde_json::Value> = std::fs::read_to_string(truth.path())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let records = run.records();
    assert_eq!(records.len(), 3 + 8 + 2 * 2);
    assert_eq!(records.iter().filter(|record| record.key.warmup).count(), 4);
    let origin = run.json("run.json")["clock_origin_ns"].as_i64().unwrap();
    for record in &records {
        let server = truth
            .iter()
            .find(|line| line["request_id"] == record.key.request_id.as_str())
            .unwrap_or_else(|| panic!("the server does not know {}", record.key.request_id));
        assert!(record.ok());
        assert_eq!(record.tokens.input, server["input_tokens"].as_u64());
        assert_eq!(record.tokens.output, Some(16));
        assert_eq!(record.token_frames.len(), server["frame_ns"].as_array().unwrap().len());
        let sent_by_server: Vec<i64> =
            server["frame_ns"].as_array().unwrap().iter().map(|at| at.as_i64().unwrap()).collect();
        for (frame, sent) in record.token_frames.iter().zip(sent_by_server) {
            assert!(frame.at.0 + origin >= sent, "a frame cannot be read before it is sent");
        }
        assert!(record.ttft_ms.unwrap() >= 20.0);
        assert!(record.latency_ms.unwrap() >= 20.0 + 15.0 * 2.0);
    }
    let summary = run.json("parallel_4_number_8/summary.json");
    assert_eq!(summary["Total Requests"], 8);
    assert_eq!(summary["Success Requests"], 8);
    assert_eq!(summary["Avg Output Tokens"], 16.0);
}

#[test]
fn an_open_loop_over_two_servers_counts_goodput_and_retries() {
    let slow = SimSpec { ttft: "30".parse().unwrap(), ..SimSpec::default() };
    let broken = SimSpec { faults: vec!["http_503:1".parse().unwrap()], ..SimSpec::default() };
    let (good, bad) = (sim(slow), sim(broken));
    let (first, second) = (chat(&good.url()), chat(&bad.url()));
    let folder = tempfile::tempdir().unwrap();
    let output = command(
        folder.path(),
        &first,
        &[
            "--url",
            &second,
            "--prompt",
            "hi",
            "--open-loop",
            "--rate",
            "100",
            "--number",
            "20",
            "--max-tokens",
            "4",
            "--no-test-connection",
            "--retries",
            "1",
            "--goodput",
            "ttft:10000",
            "latency:1",
            "--seed",
            "3",
        ],
    )
    .output()
    .unwrap();
    let run = Run { folder, output };
    assert_eq!(run.code(), Some(0), "{}", run.printed());
    let records = run.records();
    let (ok, failed): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.ok());
    assert_eq!((ok.len(), failed.len()), (10, 20), "half go to each server, and each failure is tried twice");
    assert_eq!(failed.iter().filter(|record| record.key.attempt == 2).count(), 10);
    for record in &records {
        let target = &record.labels.iter().find(|(name, _)| name == "target").unwrap().1;
        assert_eq!(target, if record.ok() { good.url() } else { bad.url() }.as_str());
    }
    let summary = run.json("rate_100_number_20/summary.json");
    assert_eq!(summary["Good Requests (%)"], 0.0, "no request is done within a millisecond");
    assert_eq!(summary["Concurrency"], serde_json::Value::Null);
}
