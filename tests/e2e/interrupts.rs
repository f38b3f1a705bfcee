//! Runs that do not get to their end: Ctrl-C once and twice, and a kill.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tickrate::clock::monotonic_ns;
use tickrate::sim::SimSpec;

use crate::raw_server::RawServer;
use crate::running::{Run, chat, failure, json_lines, records, signal, sim, start, tickrate, wait_until};

/// Waits for the end of a child and keeps what it left.
fn end(child: Child, folder: tempfile::TempDir) -> Run {
    Run { folder, output: child.wait_with_output().unwrap() }
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |file| file.len())
}

/// Waits until a run has journalled some of its records.
fn wait_for_records(folder: &Path, stage: &str) {
    let journal = folder.join("outputs/run").join(stage).join("requests.journal");
    wait_until("the journal begins", || journal.exists());
    let empty = size(&journal);
    wait_until("records are journalled", || size(&journal) > empty);
}

fn reason(run: &Run) -> String {
    run.json("run.json")["stages"][0]["end"]["reason"].as_str().unwrap().to_string()
}

#[test]
fn ctrl_c_finishes_what_is_in_flight_and_writes_everything() {
    let truth = tempfile::NamedTempFile::new().unwrap();
    let spec = SimSpec {
        ttft: "150".parse().unwrap(),
        truth: Some(truth.path().to_path_buf()),
        ..SimSpec::default()
    };
    let (server, folder) = (sim(spec), tempfile::tempdir().unwrap());
    let flags = "--no-test-connection --prompt hello --max-tokens 4 --parallel 3 7 --number 10000 20";
    let child = start(folder.path(), &chat(&server.url()), flags);
    wait_for_records(folder.path(), "parallel_3_number_10000");
    signal(&child, libc::SIGINT);
    let run = end(child, folder).ended(130);
    server.stop();
    let records = run.records();
    assert!(records.len() >= 3 && records.len() < 10_000, "{}", records.len());
    assert_eq!(records.len(), json_lines(truth.path()).len(), "a record for each request that was sent");
    assert!(records.iter().all(|record| record.ok() && record.tokens.output == Some(4)), "all were finished");
    assert!(run.stdout().contains("press Ctrl-C again"), "{}", run.stdout());
    assert_eq!(reason(&run), "interrupted");
    let summary = run.json("parallel_3_number_10000/summary.json");
    assert_eq!(summary["Total Requests"], records.len());
    assert!(!run.path().join("parallel_7_number_20").exists(), "no further stage begins");
    assert!(!run.path().join("parallel_3_number_10000/requests.journal").exists());
}

#[test]
fn ctrl_c_twice_gives_up_what_is_in_flight_and_records_it() {
    let hang = "hang:0.2".parse().unwrap();
    let spec = SimSpec { ttft: "5".parse().unwrap(), faults: vec![hang], seed: 3, ..SimSpec::default() };
    let (server, folder) = (sim(spec), tempfile::tempdir().unwrap());
    let flags = "--no-test-connection --prompt hello --max-tokens 4 --parallel 4 --number 10000";
    let child = start(folder.path(), &chat(&server.url()), flags);
    wait_for_records(folder.path(), "parallel_4_number_10000");
    // All four slots hang before long; how many did so far makes no difference to what must hold.
    std::thread::sleep(Duration::from_millis(800));
    signal(&child, libc::SIGINT);
    std::thread::sleep(Duration::from_millis(300));
    let pressed = Instant::now();
    signal(&child, libc::SIGINT);
    let run = end(child, folder).ended(130);
    assert!(pressed.elapsed() < Duration::from_secs(5), "{:?}", pressed.elapsed());
    let (good, bad): (Vec<_>, Vec<_>) = run.records().into_iter().partition(|record| record.ok());
    assert_eq!(bad.len(), 4, "one for each slot");
    assert!(!good.is_empty());
    for record in &bad {
        assert_eq!(failure(record).0, "interrupted");
        assert!(record.sent.is_some() && record.status.is_none());
    }
    assert_eq!(reason(&run), "aborted");
    let summary = run.json("parallel_4_number_10000/summary.json");
    assert_eq!(summary["Errors"]["interrupted"]["count"], 4);
    assert_eq!(summary["Success Requests"], good.len());
}

#[test]
fn ctrl_c_ends_the_wait_for_a_server_that_loads() {
    let server = RawServer::start(|_| {
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 7\r\n\r\nloading".to_vec()
    });
    let folder = tempfile::tempdir().unwrap();
    let child = start(folder.path(), &chat(&server.url()), "--prompt hello --number 1");
    wait_until("it is tried again", || server.heard().len() >= 2);
    signal(&child, libc::SIGINT);
    let run = end(child, folder).ended(130);
    assert!(run.stdout().contains("waiting for the server: HTTP 503: loading"), "{}", run.stdout());
    assert_eq!(run.stderr(), "error: stopped before the first request\n");
}

#[test]
fn a_termination_is_as_gentle_as_ctrl_c() {
    let spec = SimSpec { ttft: "50".parse().unwrap(), ..SimSpec::default() };
    let (server, folder) = (sim(spec), tempfile::tempdir().unwrap());
    let flags = "--no-test-connection --prompt hello --max-tokens 2 --number 10000";
    let child = start(folder.path(), &chat(&server.url()), flags);
    wait_for_records(folder.path(), "parallel_1_number_10000");
    signal(&child, libc::SIGTERM);
    let run = end(child, folder).ended(130);
    assert!(run.records().iter().all(|record| record.ok()));
}

#[test]
fn a_killed_run_is_recovered_by_the_command_that_the_next_run_names() {
    let truth = tempfile::NamedTempFile::new().unwrap();
    let spec = SimSpec {
        ttft: "10".parse().unwrap(),
        truth: Some(truth.path().to_path_buf()),
        ..SimSpec::default()
    };
    let (server, folder) = (sim(spec), tempfile::tempdir().unwrap());
    let url = chat(&server.url());
    let flags = format!(
        "--no-test-connection --prompt hello --max-tokens 4 --parallel 2 --number 100000 \
         --server-metrics {}/metrics --server-metrics-interval 0.1",
        server.url()
    );
    let mut child = start(folder.path(), &url, &flags);
    wait_for_records(folder.path(), "parallel_2_number_100000");
    std::thread::sleep(Duration::from_millis(1500));
    let killed_ns = monotonic_ns();
    child.kill().unwrap();
    child.wait().unwrap();
    let stage = folder.path().join("outputs/run/parallel_2_number_100000");
    assert!(stage.join("requests.journal").exists() && !stage.join("requests.parquet").exists());

    // The same folder again would mix two runs: it is refused before anything is sent.
    let again =
        start(folder.path(), &url, "--no-test-connection --prompt hello --parallel 2 --number 100000");
    let again = again.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert_eq!((again.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("tickrate recover"), "{said}");

    let next = format!("perf --model tiny --url {url} --prompt hello --max-tokens 2 --number 1");
    let next = tickrate(folder.path(), &next).output().unwrap();
    assert_eq!(next.status.code(), Some(0), "{}", String::from_utf8_lossy(&next.stderr));
    server.stop();
    let told = String::from_utf8_lossy(&next.stdout).into_owned();
    let (_, advice) = told.split_once("get its records back with: tickrate ").expect("the next run tells");
    let advice = advice.lines().next().unwrap().replace('"', "");
    let recovered = tickrate(folder.path(), &advice).output().unwrap();
    let said = String::from_utf8_lossy(&recovered.stdout).into_owned();
    assert_eq!(recovered.status.code(), Some(0), "{said}");

    let rows = records(&stage);
    assert!(said.starts_with(&format!("recovered {} records: ", rows.len())), "{said}");
    let finished = json_lines(truth.path());
    let long_before =
        finished.iter().filter(|line| line["finished_ns"].as_i64().unwrap() < killed_ns - 1_000_000_000);
    let long_before = long_before.count();
    assert!(long_before > 0 && rows.len() >= long_before, "{} of {long_before} rows", rows.len());
    assert!(rows.iter().all(|record| record.ok()));
    assert!(!stage.join("requests.journal").exists());
    let run = stage.parent().unwrap();
    assert!(said.contains("recovered the server's metrics: "), "{said}");
    assert!(std::fs::metadata(run.join("server_metrics.parquet")).unwrap().len() > 500);
    assert!(!run.join("server_metrics.journal").exists());

    let report = tickrate(folder.path(), "report outputs/run").output().unwrap();
    assert_eq!(report.status.code(), Some(0), "{}", String::from_utf8_lossy(&report.stderr));
    let text = std::fs::read_to_string(stage.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(summary["Total Requests"], rows.len());
}

#[test]
fn a_reader_that_goes_away_ends_the_printing_and_not_the_run() {
    let server = sim(SimSpec { ttft: "5".parse().unwrap(), ..SimSpec::default() });
    let folder = tempfile::tempdir().unwrap();
    let mut command = crate::running::command(
        folder.path(),
        &chat(&server.url()),
        "--no-test-connection --prompt hello --max-tokens 2 --number 40 --debug",
    );
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(records(folder.path()).len(), 40);
}

#[test]
fn a_simulator_ends_with_a_signal() {
    let mut child = Command::new(crate::running::TICKRATE);
    child.args(["sim", "--port", "0"]).stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
        .unwrap();
    assert!(line.starts_with("tickrate sim listening on http://127.0.0.1:"), "{line}");
    signal(&child, libc::SIGTERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// The records cannot be kept any more: no load is made that nobody will know of.
#[test]
fn a_full_disk_ends_the_run_in_the_middle_and_keeps_what_was_written() {
    let server = RawServer::kind();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("long.txt"), "word ".repeat(2_000)).unwrap();
    let flags =
        "--no-test-connection --no-stream --save-text --prompt @long.txt --parallel 2 1 --number 100000 5";
    let mut command = crate::running::command(folder.path(), &chat(&server.url()), flags);
    // SAFETY: only calls that may be made between fork and exec.
    unsafe {
        std::os::unix::process::CommandExt::pre_exec(&mut command, || {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            let most = libc::rlimit { rlim_cur: 6 << 20, rlim_max: 6 << 20 };
            match libc::setrlimit(libc::RLIMIT_FSIZE, &most) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    let run = Run { folder, output: command.output().unwrap() }.ended(1);
    let said = run.stderr();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("error: could not write \""), "{said}");
    assert!(
        said.contains("requests.journal\": File too large") && said.contains("`tickrate recover"),
        "{said}"
    );
    let heard = server.heard().len();
    assert!(heard > 10 && heard < 20_000, "{heard} requests were sent");
    assert!(!run.path().join("parallel_1_number_5").exists(), "no further stage begins");
    assert_eq!(reason(&run), "failed");

    let recovered = tickrate(run.folder.path(), "recover outputs/run").output().unwrap();
    assert_eq!(recovered.status.code(), Some(0), "{}", String::from_utf8_lossy(&recovered.stdout));
    let kept = run.records();
    assert!(kept.len() > 10 && kept.len() <= heard, "{} of {heard}", kept.len());
}
