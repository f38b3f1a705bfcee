//! The main job: sweeps, records, tables and files.

use tickrate::sim::SimSpec;

use crate::running::{chat, data, json_lines, perf, perf_on, sim};

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
    let flags = format!(
        "--parallel 1 4 --number 3 8 --dataset random --max-tokens 16 --min-tokens 16 --min-prompt-length 40 \
         --max-prompt-length 40 --tokenizer-path {} --extra-args {{\"ignore_eos\":true}} --warmup-num 2",
        data("tokenizer").display()
    );
    let run = perf(&chat(&server.url()), &flags).ended(0);
    server.stop();
    for file in ["run.json", "benchmark.log", "performance_summary.txt"] {
        assert!(run.path().join(file).exists(), "{file}\n{}", run.printed());
    }
    let truth = json_lines(truth.path());
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
fn warm_up_requests_are_recorded_and_belong_to_no_figure() {
    let run = perf_on(SimSpec::default(), "--prompt hello --number 4 --warmup-num 2 --max-tokens 3").ended(0);
    let records = run.records();
    let warmup: Vec<_> = records.iter().filter(|record| record.key.warmup).collect();
    let measured: Vec<_> = records.iter().filter(|record| !record.key.warmup).collect();
    assert_eq!((warmup.len(), measured.len()), (2, 4));
    let summary = run.json("parallel_1_number_4/summary.json");
    assert_eq!(summary["Total Requests"], 4);
    let mean = measured.iter().map(|record| record.latency_ms.unwrap()).sum::<f64>() / 4.0;
    assert!((summary["Avg Latency (s)"].as_f64().unwrap() * 1e3 - mean).abs() < 1e-6);
    let last_of_warmup = warmup.iter().map(|record| record.closed).max();
    assert!(measured.iter().all(|record| record.sent > last_of_warmup), "the warm-up ends before the rest");
}

#[test]
fn the_log_holds_what_was_printed() {
    let run = perf_on(SimSpec::default(), "--prompt hello --number 3 --max-tokens 3 --debug").ended(0);
    let log = std::fs::read_to_string(run.path().join("benchmark.log")).unwrap();
    assert_eq!(log, run.stdout());
    assert!(!log.contains('\u{1b}'), "no control codes");
}

#[test]
fn debug_prints_a_line_for_each_request() {
    let run = perf_on(SimSpec::default(), "--prompt hello --number 3 --max-tokens 3 --debug").ended(0);
    for record in run.records() {
        let tokens = format!("tokens {}/3 length", record.tokens.input.unwrap());
        let line =
            run.stdout().lines().find(|line| line.starts_with(&record.key.request_id)).map(String::from);
        assert!(line.as_ref().is_some_and(|line| line.ends_with(&tokens)), "{line:?} {tokens}");
    }
    let quiet = perf_on(SimSpec::default(), "--prompt hello --number 3 --max-tokens 3").ended(0);
    assert!(!quiet.stdout().contains(" ttft "), "{}", quiet.stdout());
}
