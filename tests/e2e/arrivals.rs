//! When requests are due: the process that was asked for, whoever sends them, and recordings as a whole.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tickrate::sim::SimSpec;

use crate::running::{Run, chat, command, perf, records, sim};

fn instant() -> SimSpec {
    SimSpec { ttft: "0".parse().unwrap(), itl: "0".parse().unwrap(), ..SimSpec::default() }
}

/// When requests were due, in seconds after the stage began; and by how many threads they were sent.
fn due(run: &Run) -> (Vec<f64>, usize) {
    let started_ns = run.json("run.json")["stages"][0]["end"]["started_ns"].as_i64().unwrap();
    let records = run.records();
    let mut due: Vec<f64> = records.iter().map(|record| (record.due.0 - started_ns) as f64 / 1e9).collect();
    due.sort_by(f64::total_cmp);
    let mut workers: Vec<u32> = records.iter().map(|record| record.worker).collect();
    workers.sort_unstable();
    workers.dedup();
    (due, workers.len())
}

/// One schedule is dealt to the threads. Were each to draw its own, counts would still be right on
/// average, and the arrivals would be another process.
#[test]
fn arrivals_are_poisson_however_many_threads_send_them() {
    const RATE: f64 = 1000.0;
    let server = sim(instant());
    let with = |workers: u32| {
        let flags = format!(
            "--open-loop --rate {RATE} --number 2000 --workers {workers} --seed 11 --prompt hi --max-tokens 1 \
             --no-stream --no-test-connection"
        );
        due(&perf(&chat(&server.url()), &flags).ended(0))
    };
    let (one, four) = (with(1), with(4));
    assert_eq!((one.1, four.1), (1, 4));
    let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-6;
    assert!(one.0.iter().zip(&four.0).all(near), "the same moments from one thread and from four");
    let due = four.0;

    // Kolmogorov-Smirnov: the gaps are exponential. 1.63 ÷ √n is exceeded once in a hundred seeds.
    let mut gaps: Vec<f64> = due.windows(2).map(|pair| pair[1] - pair[0]).collect();
    gaps.sort_by(f64::total_cmp);
    let n = gaps.len() as f64;
    let distance = |(at, gap): (usize, &f64)| {
        let expected = 1.0 - (-RATE * gap).exp();
        (expected - at as f64 / n).abs().max(((at + 1) as f64 / n - expected).abs())
    };
    let ks = gaps.iter().enumerate().map(distance).fold(0.0, f64::max);
    assert!(ks < 1.63 / n.sqrt(), "{ks}");

    // The index of dispersion of the counts in 10 ms is 1; of equal gaps it would be near 0.
    let windows = (due[due.len() - 1] / 0.01) as usize;
    let mut counts = vec![0.0; windows];
    for at in due.iter().map(|at| (at / 0.01) as usize).filter(|&at| at < windows) {
        counts[at] += 1.0;
    }
    let mean = counts.iter().sum::<f64>() / windows as f64;
    let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / windows as f64;
    assert!((0.7..1.35).contains(&(variance / mean)), "{}", variance / mean);
    // Nor is the last arrival pulled to where it ought to be on average, as the baseline does.
    assert!((due[due.len() - 1] - n / RATE).abs() > 1e-6, "{}", due[due.len() - 1]);
}

/// Writes a trace of so many requests, a tenth of a millisecond apart, of about 300 bytes each.
fn trace(path: &Path, lines: u32) {
    let file = BufWriter::new(File::create(path).unwrap());
    let mut out: Box<dyn Write> = match path.extension().and_then(|ending| ending.to_str()) {
        Some("gz") => Box::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast())),
        Some("zst") => Box::new(zstd::Encoder::new(file, 1).unwrap().auto_finish()),
        _ => Box::new(file),
    };
    let said = "a request that was recorded once ".repeat(6);
    for line in 0..lines {
        let at = f64::from(line) / 1e4;
        writeln!(
            out,
            r#"{{"timestamp": {at}, "body": {{"model": "m", "max_tokens": 1, "stream": false, "messages": [{{"role": "user", "content": "{said}{line}"}}]}}}}"#
        )
        .unwrap();
    }
}

/// The exit code and the most memory, in MB, that a run over a trace had.
fn replayed(folder: &Path, url: &str, file: &str, flags: &str) -> (Option<i32>, f64) {
    let flags = format!(
        "--dataset workload_trace --dataset-path {file} --open-loop --no-test-connection --workers 1 {flags}"
    );
    let _ = std::fs::remove_dir_all(folder.join("outputs"));
    let mut command = command(folder, &chat(url), &flags);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most_kb = 0.0;
    loop {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        let kb = line.split_whitespace().next().and_then(|kb| kb.parse::<f64>().ok());
        most_kb = kb.unwrap_or(0.0).max(most_kb);
        if let Some(ended) = child.try_wait().unwrap() {
            return (ended.code(), most_kb / 1024.0);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_long_recording_is_replayed_without_being_held_in_memory() {
    let (folder, server) = (tempfile::tempdir().unwrap(), sim(instant()));
    trace(&folder.path().join("short.jsonl"), 100);
    let (code, least) = replayed(folder.path(), &server.url(), "short.jsonl", "");
    assert_eq!(code, Some(0));
    for file in ["long.jsonl.gz", "long.jsonl.zst"] {
        trace(&folder.path().join(file), 200_000);
        let (code, most) = replayed(folder.path(), &server.url(), file, "--number 100");
        assert_eq!((code, records(&folder.path().join("outputs")).len()), (Some(0), 100), "{file}");
        // It is some 60 MB of text.
        assert!(most < least + 24.0, "{file}: {most} MB, and {least} MB for a hundred requests");
    }
}

#[test]
fn a_recording_is_replayed_as_a_whole_unless_a_number_is_asked_for() {
    let (folder, server) = (tempfile::tempdir().unwrap(), sim(instant()));
    trace(&folder.path().join("trace.jsonl"), 1200);
    for (flags, expected, warmup) in [("", 1200, 0), ("--number 7", 7, 0), ("--warmup-num 0.25", 1200, 300)] {
        let (code, _) = replayed(folder.path(), &server.url(), "trace.jsonl", flags);
        let records = records(&folder.path().join("outputs"));
        let warm = records.iter().filter(|record| record.key.warmup).count();
        assert_eq!((code, records.len(), warm), (Some(0), expected, warmup), "{flags}");
    }
}
