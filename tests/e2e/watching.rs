//! A run that is watched while it goes on: by eye, in a terminal, and by a program.

use std::process::Command;

use serde_json::{Value, json};
use tickrate::sim::SimSpec;

use crate::python::python;
use crate::running::{Run, chat, command, json_lines, perf_on, root, sim};

/// A run in a terminal, as `tests/python/terminal.py` describes it.
pub fn in_a_terminal(script: &Value, url: &str, flags: &str) -> (Run, Value) {
    let folder = tempfile::tempdir().unwrap();
    let perf = command(folder.path(), url, flags);
    let mut terminal = Command::new(python(&[]));
    terminal.arg(root().join("tests/python/terminal.py")).arg(script.to_string());
    terminal.arg(perf.get_program()).args(perf.get_args()).current_dir(folder.path());
    let output = terminal.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen = serde_json::from_slice(&output.stdout).unwrap();
    (Run { folder, output }, seen)
}

pub fn screens(seen: &Value) -> Vec<&str> {
    seen["screens"].as_array().unwrap().iter().map(|screen| screen.as_str().unwrap()).collect()
}

fn steady() -> SimSpec {
    SimSpec { ttft: "40".parse().unwrap(), itl: "10".parse().unwrap(), ..SimSpec::default() }
}

#[test]
fn a_terminal_shows_the_progress_of_a_stage_and_then_its_tables() {
    let server = sim(steady());
    let flags = "--no-test-connection --prompt hello --max-tokens 20 --parallel 2 4 --number 8 24";
    let (_run, seen) = in_a_terminal(&json!({"columns": 140, "rows": 60}), &chat(&server.url()), flags);
    assert_eq!(seen["code"], 0, "{seen:#}");
    let told = |screen: &&str| {
        screen.lines().any(|line| {
            let place = line.starts_with("parallel_4_number_24 (2/2) ");
            let figures = ["/24 ", " req/s ", " tok/s ", "TTFT ", "TPOT ", "0 failed", "ETA "];
            place && figures.iter().all(|figure| line.contains(figure))
        })
    };
    assert!(screens(&seen).iter().any(told), "{:#?}", screens(&seen));
    let last = seen["last"].as_str().unwrap();
    assert!(last.contains("duckdb -c") && !last.contains("ETA"), "the line is gone at the end: {last}");
}

#[test]
fn without_a_terminal_there_is_no_progress_line() {
    let run = perf_on(steady(), "--no-test-connection --prompt hello --max-tokens 5 --number 3").ended(0);
    assert_eq!(run.stderr(), "");
    assert!(!run.stdout().contains("ETA"), "{}", run.stdout());
}

#[test]
fn a_progress_file_tells_a_program_what_goes_on() {
    let spec = SimSpec { faults: vec!["http_500_html:0.2".parse().unwrap()], seed: 3, ..steady() };
    let flags = "--no-test-connection --prompt hello --max-tokens 20 --parallel 2 4 --number 8 24 --warmup-num 2 \
                 --progress-file progress.jsonl --progress-interval 0.05";
    let run = perf_on(spec, flags).ended(0);
    let lines = json_lines(&run.folder.path().join("progress.jsonl"));
    let mut told: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    told.dedup();
    let stage = ["stage_started", "progress", "stage_finished"];
    assert_eq!(told, [&["run_started"][..], &stage, &stage, &["run_finished"]].concat());
    assert_eq!((&lines[0]["version"], &lines[0]["stages"]), (&json!(1), &json!(2)));
    assert_eq!(lines[0]["run_id"], run.json("run.json")["run_id"]);
    assert!(lines.iter().all(|line| line["at"].is_string()));

    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    let progress = of("progress");
    let settled: Vec<u64> = progress
        .iter()
        .filter(|line| line["stage"]["index"] == 1)
        .map(|line| line["stage"]["settled"].as_u64().unwrap())
        .collect();
    assert!(settled.is_sorted() && settled.iter().any(|&settled| 0 < settled && settled < 24), "{settled:?}");
    let in_flight = progress.iter().map(|line| line["stage"]["in_flight"].as_u64().unwrap()).max();
    assert_eq!(in_flight, Some(4), "as many as there are slots");
    assert!(progress.iter().any(|line| line["stage"]["eta_s"].as_f64().is_some_and(|s| s > 0.0)));

    // What is told at a stage's end is what its summary says.
    for (line, folder) in
        of("stage_finished").into_iter().zip(["parallel_2_number_8", "parallel_4_number_24"])
    {
        let (stage, summary) = (&line["stage"], run.json(&format!("{folder}/summary.json")));
        assert_eq!((&stage["phase"], &stage["in_flight"]), (&json!("finished"), &json!(0)));
        assert_eq!(stage["settled"], summary["Total Requests"]);
        assert_eq!(stage["succeeded"], summary["Success Requests"]);
        assert_eq!(stage["failed"], summary["Failed Requests"]);
        assert_eq!(stage["errors"]["http_status"], summary["Errors"]["http_status"]["count"]);
        let near = |told: &Value, figure: &str, tolerance: f64| {
            let (told, figure) = (told.as_f64().unwrap(), summary[figure].as_f64().unwrap());
            assert!((told / figure - 1.0).abs() < tolerance, "{told} {figure}");
        };
        near(&stage["ttft_ms"]["mean"], "TTFT (ms)", 1e-9);
        near(&stage["tpot_ms"]["mean"], "TPOT (ms)", 1e-9);
        near(&stage["itl_ms"]["mean"], "ITL (ms)", 1e-9);
        near(&stage["output_tps"], "Output Throughput (tok/s)", 0.2);
    }
    assert_eq!(of("stage_finished")[0]["reason"], "count");
}

#[test]
fn a_progress_file_that_cannot_be_written_is_told_before_any_request() {
    let flags = "--prompt hello --number 1 --progress-file no/such/folder/progress.jsonl";
    let run = perf_on(steady(), flags).ended(2);
    let said = "error: --progress-file: cannot write \"no/such/folder/progress.jsonl\": ";
    assert!(run.stderr().starts_with(said), "{}", run.printed());
    assert_eq!(run.stderr().lines().count(), 1);
}

#[test]
fn the_live_view_shows_figures_and_charts_and_gives_the_terminal_back() {
    let spec = SimSpec { faults: vec!["http_500_html:0.2".parse().unwrap()], seed: 3, ..steady() };
    let server = sim(spec);
    let flags = "--no-test-connection --prompt hello --max-tokens 20 --parallel 2 4 --number 8 60 --live";
    let script = json!({"rows": 30, "columns": 110, "steps": [{"when": "(2/2)", "resize": [28, 100]}]});
    let (_run, seen) = in_a_terminal(&script, &chat(&server.url()), flags);
    assert_eq!((&seen["code"], &seen["steps_left"]), (&json!(0), &json!(0)), "{seen:#}");
    let told = |screen: &&str| {
        let words =
            ["parallel_4_number_60 (2/2)  measuring", "ETA ", "in flight    4", "Output tok/s", "TTFT ms"];
        let more =
            ["parallel_2_number_8", " × http_status", "client CPU %", "loop lag ms", "q: leave this view"];
        words.iter().chain(&more).all(|word| screen.contains(word))
    };
    assert!(screens(&seen).iter().any(told), "{:#?}", screens(&seen));
    let braille = |screen: &&str| screen.chars().any(|letter| ('\u{2801}'..='\u{28ff}').contains(&letter));
    assert!(screens(&seen).iter().any(braille), "there is a line in a chart");
    assert_eq!((&seen["alternate"], &seen["echo"]), (&json!([1, 1]), &json!(true)));
    let last = seen["last"].as_str().unwrap();
    assert!(last.contains("duckdb -c"), "what was kept back is printed at the end: {last}");
}

#[test]
fn q_leaves_the_view_and_the_run_goes_on() {
    let server = sim(steady());
    let flags = "--no-test-connection --prompt hello --max-tokens 20 --parallel 2 --number 24 --live";
    let script = json!({"columns": 120, "steps": [{"when": "measuring", "keys": "q"}]});
    let (run, seen) = in_a_terminal(&script, &chat(&server.url()), flags);
    assert_eq!(seen["code"], 0, "{seen:#}");
    assert_eq!(run.json("parallel_2_number_24/summary.json")["Success Requests"], 24);
    let line = |screen: &&str| {
        !screen.contains("q: leave") && screen.contains("parallel_2_number_24 ") && screen.contains("ETA ")
    };
    assert!(screens(&seen).iter().any(line), "the progress line takes over: {:#?}", screens(&seen));
    assert_eq!((&seen["alternate"], &seen["echo"]), (&json!([1, 1]), &json!(true)));
}

#[test]
fn ctrl_c_in_the_view_ends_the_run_gently() {
    let server = sim(steady());
    let flags = "--no-test-connection --prompt hello --max-tokens 20 --parallel 2 --number 2000 --live";
    let script = json!({"columns": 120, "steps": [{"when": "measuring", "keys": "\u{3}"}]});
    let (run, seen) = in_a_terminal(&script, &chat(&server.url()), flags);
    assert_eq!(seen["code"], 130, "{seen:#}");
    let summary = run.json("parallel_2_number_2000/summary.json");
    assert_eq!(summary["Failed Requests"], 0, "what was in flight was finished");
    assert_eq!((&seen["alternate"], &seen["echo"]), (&json!([1, 1]), &json!(true)));
}

/// Whatever ends a run, the terminal that its view was on is as it was before.
#[test]
fn a_run_that_is_ended_gives_the_terminal_back() {
    // Requests that would go on for a minute, so that only being given up ends them.
    let server = sim(SimSpec { itl: "3000".parse().unwrap(), ..steady() });
    let flags = "--no-test-connection --prompt hello --max-tokens 20 --parallel 2 --number 8 --live";
    let asked = "requests in flight are finished";
    let gently = [json!({"when": "measuring", "signal": "TERM"}), json!({"after_s": 0.3, "signal": "TERM"})];
    let by_keys = [json!({"when": "measuring", "keys": "\u{3}"}), json!({"after_s": 0.3, "keys": "\u{3}"})];
    for steps in [gently, by_keys] {
        let script = json!({"columns": 120, "steps": steps});
        let (run, seen) = in_a_terminal(&script, &chat(&server.url()), flags);
        assert_eq!((&seen["code"], &seen["steps_left"]), (&json!(130), &json!(0)), "{seen:#}");
        assert_eq!((&seen["alternate"], &seen["echo"]), (&json!([1, 1]), &json!(true)));
        assert!(seen["seconds"].as_f64().unwrap() < 30.0, "what was in flight was given up");
        let log = std::fs::read_to_string(run.path().join("benchmark.log")).unwrap();
        assert!(log.contains(asked) && log.contains("stopping now"), "{log}");
        let given_up = &run.json("parallel_2_number_8/summary.json")["Errors"]["interrupted"]["count"];
        assert_eq!(given_up, 2, "{log}");
    }
}

#[test]
fn a_run_that_fails_at_once_gives_the_terminal_back() {
    // Nobody listens there: the view comes and goes.
    let flags = "--no-test-connection --prompt hello --number 4 --live";
    let script = json!({"columns": 80, "rows": 24});
    let (_run, seen) = in_a_terminal(&script, "http://127.0.0.1:9/v1/chat/completions", flags);
    assert_eq!(seen["code"], 4, "{seen:#}");
    assert_eq!((&seen["alternate"], &seen["echo"]), (&json!([1, 1]), &json!(true)));
    assert!(seen["last"].as_str().unwrap().contains("results: "), "{seen:#}");
}

#[test]
fn a_live_view_without_a_terminal_is_refused_in_one_line() {
    let run = perf_on(steady(), "--prompt hello --number 1 --live").ended(2);
    assert_eq!(
        run.stderr(),
        "error: --live: needs a terminal: standard input and standard error are not both one; leave it out, \
         or use --dashboard or --progress-file\n"
    );
}
