//! What is slow beside the timing path stays beside it: a plugin that computes, a disk, a terminal that
//! nobody reads. The times in the records are compared with those that the simulator wrote down. And when
//! the client itself is slow, it says so.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use tickrate::record::RequestRecord;
use tickrate::sim::{RoleFrame, RunningSim, SimSpec};

use crate::running::{Run, chat, command, guest, json_lines, perf, records, root, signal, sim, start};
use crate::watching::in_a_terminal;

/// How late the client's stamps of tokens are by the server's clock, in milliseconds, sorted.
fn lateness_ms(records: &[RequestRecord], truth: &[serde_json::Value], origin_ns: i64) -> Vec<f64> {
    let mut out = Vec::new();
    for record in records {
        let server = truth.iter().find(|line| line["request_id"] == record.key.request_id.as_str());
        let sent = server.expect("the server knows the request")["frame_ns"].as_array().expect("its frames");
        for (frame, sent) in record.token_frames.iter().zip(sent) {
            out.push((frame.at.0 + origin_ns - sent.as_i64().unwrap()) as f64 / 1e6);
        }
    }
    out.sort_unstable_by(f64::total_cmp);
    out
}

/// The same for a run whose server wrote its times into `truth`.
fn lateness_in(run: &Run, truth: &Path) -> Vec<f64> {
    let origin_ns = run.json("run.json")["clock_origin_ns"].as_i64().unwrap();
    lateness_ms(&run.records(), &json_lines(truth), origin_ns)
}

/// A server that answers after `ttft` ms and then every `itl` ms, and writes its times into `truth`.
fn timed(ttft: &str, itl: &str, truth: &Path) -> RunningSim {
    sim(SimSpec {
        ttft: ttft.parse().unwrap(),
        itl: itl.parse().unwrap(),
        truth: Some(truth.to_path_buf()),
        ..SimSpec::default()
    })
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

#[test]
fn a_plugin_that_computes_for_50_ms_a_reply_does_not_move_a_token() {
    let truth = tempfile::NamedTempFile::new().unwrap();
    let server = sim(SimSpec {
        ttft: "20".parse().unwrap(),
        itl: "3".parse().unwrap(),
        // The plugin takes every frame for a token.
        role_frame: RoleFrame::Off,
        truth: Some(truth.path().to_path_buf()),
        ..SimSpec::default()
    });
    let api = guest("misbehave");
    let run = perf(
        &chat(&server.url()),
        &[
            "--api",
            api.to_str().unwrap(),
            "--api-args",
            "{\"do\":\"computes_for_a_while\",\"at\":\"parse\"}",
            "--prompt",
            "x",
            "--parallel",
            "8",
            "--number",
            "40",
            "--no-test-connection",
        ],
    )
    .ended(0);
    server.stop();
    let late = lateness_in(&run, truth.path());
    assert_eq!(late.len(), 40 * 8);
    // The plugin keeps a core busy for two seconds; had it been on the path, each token of a reply
    // would be late by tens of milliseconds.
    assert!(late[0] >= 0.0 && median(&late) < 10.0, "median {} ms", median(&late));
}

/// Every write to a file takes 50 ms longer than it does.
#[test]
fn a_disk_that_is_slow_does_not_move_a_token() {
    let truth = tempfile::NamedTempFile::new().unwrap();
    let server = timed("10", "1", truth.path());
    let folder = tempfile::tempdir().unwrap();
    let slow = folder.path().join("slow_disk.so");
    let source = root().join("tests/e2e/slow_disk.c");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&slow).arg(source).status();
    assert!(built.unwrap().success(), "cc builds a library");
    let waits = folder.path().join("waits");
    std::fs::write(&waits, "").unwrap();
    let flags = "--prompt x --max-tokens 3 --parallel 8 --number 1500 --no-test-connection";
    let output = command(folder.path(), &chat(&server.url()), flags)
        .env("LD_PRELOAD", &slow)
        .env("SLOW_DISK_LOG", &waits)
        .output()
        .unwrap();
    server.stop();
    let run = Run { folder, output }.ended(0);
    let late = lateness_in(&run, truth.path());
    assert_eq!(late.len(), 1500 * 3);
    assert!(median(&late) < 10.0, "median {} ms", median(&late));
    let waited = std::fs::read(run.folder.path().join("waits")).unwrap().len();
    assert!(waited > 20, "the disk was slow {waited} times");
}

#[test]
fn a_terminal_that_nobody_reads_does_not_move_a_token() {
    let truth = tempfile::NamedTempFile::new().unwrap();
    let server = timed("10", "1", truth.path());
    let folder = tempfile::tempdir().unwrap();
    // Nearly two thousand lines of --debug are more than a pipe holds.
    let flags = "--debug --prompt x --max-tokens 3 --parallel 8 --number 1500 --no-test-connection";
    let mut child = start(folder.path(), &chat(&server.url()), flags);
    let begun = Instant::now();
    std::thread::sleep(Duration::from_secs(3));
    assert!(child.try_wait().unwrap().is_none(), "it waits for somebody to read");
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    assert!(child.wait().unwrap().success(), "{printed}");
    assert!(begun.elapsed() >= Duration::from_secs(3));
    server.stop();
    let path = folder.path().join("outputs/run");
    let run: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path.join("run.json")).unwrap()).unwrap();
    let late =
        lateness_ms(&records(&path), &json_lines(truth.path()), run["clock_origin_ns"].as_i64().unwrap());
    assert_eq!(late.len(), 1500 * 3);
    assert!(median(&late) < 10.0, "median {} ms", median(&late));
}

/// A view that fills the screen of a terminal which nobody reads for a while. The view's thread waits, and
/// the run does not.
#[test]
fn a_live_view_that_nobody_reads_does_not_move_a_token_or_hold_up_the_run() {
    let truth = tempfile::NamedTempFile::new().unwrap();
    let server = timed("10", "1", truth.path());
    let flags = "--prompt x --max-tokens 3 --parallel 8 --number 1500 --no-test-connection --live";
    let script = serde_json::json!({"rows": 60, "columns": 200, "unread_s": 10});
    let (run, seen) = in_a_terminal(&script, &chat(&server.url()), flags);
    server.stop();
    assert_eq!(seen["code"], 0, "{seen:#}");
    let late = lateness_in(&run, truth.path());
    assert_eq!(late.len(), 1500 * 3);
    assert!(median(&late) < 10.0, "median {} ms", median(&late));
    let took_s = run.json("parallel_8_number_1500/summary.json")["Test Duration (s)"].as_f64().unwrap();
    assert!(took_s < 8.0, "the run was held up: {took_s} s");
}

/// Browsers that ask for the page's events and never read them.
#[test]
fn a_dashboard_whose_browsers_do_not_read_does_not_move_a_token() {
    let truth = tempfile::NamedTempFile::new().unwrap();
    let server = timed("10", "1", truth.path());
    let folder = tempfile::tempdir().unwrap();
    let flags = "--prompt x --max-tokens 3 --parallel 8 --number 1500 --no-test-connection --dashboard 0";
    let mut child = start(folder.path(), &chat(&server.url()), flags);
    let address = crate::dashboard::address(&mut child, "dashboard");
    // Far more than are served, of which none reads a byte.
    let stalled: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(&address).unwrap();
            let _ = std::io::Write::write_all(&mut stream, b"GET /events HTTP/1.1\r\n\r\n");
            stream
        })
        .collect();
    let output = child.wait_with_output().unwrap();
    drop(stalled);
    server.stop();
    let run = Run { folder, output }.ended(0);
    let late = lateness_in(&run, truth.path());
    assert_eq!(late.len(), 1500 * 3);
    assert!(median(&late) < 10.0, "median {} ms", median(&late));
}

/// A client that is stopped again and again reads late whatever the machine does, and knows it.
#[test]
fn a_client_that_is_kept_from_running_says_that_it_was_the_limit() {
    let server =
        sim(SimSpec { ttft: "20".parse().unwrap(), itl: "5".parse().unwrap(), ..SimSpec::default() });
    let folder = tempfile::tempdir().unwrap();
    let flags = "--prompt x --max-tokens 100 --parallel 4 --number 12 --no-test-connection";
    let mut child = start(folder.path(), &chat(&server.url()), flags);
    while child.try_wait().unwrap().is_none() {
        signal(&child, libc::SIGSTOP);
        std::thread::sleep(Duration::from_millis(60));
        signal(&child, libc::SIGCONT);
        std::thread::sleep(Duration::from_millis(60));
    }
    let output = child.wait_with_output().unwrap();
    let run = Run { folder, output }.ended(0);
    let health = &run.json("parallel_4_number_12/summary.json")["Client Health"];
    assert_eq!(health["client_limited"], true, "{health}");
    assert!(health["trust_ms"].as_f64().unwrap() > 5.0, "{health}");
    assert!(run.stdout().contains("the client was a limit: its event loop ran up to"), "{}", run.stdout());
}

/// Programs that do nothing but keep the machine's cores busy, until they are dropped. They are nicer than
/// the other tests' readers and servers, so as to keep from running only what is nicer still.
struct BusyLoops(Vec<Child>);

impl BusyLoops {
    fn four_on_each_core() -> BusyLoops {
        let cores = std::thread::available_parallelism().unwrap().get();
        let spin =
            || Command::new("nice").args(["-n", "10", "sh", "-c", "while :; do :; done"]).spawn().unwrap();
        BusyLoops((0..4 * cores).map(|_| spin()).collect())
    }
}

impl Drop for BusyLoops {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Every core is busy with what comes before the client, which may run when nothing else would. How much it
/// is held up is the scheduler's choice, so the verdict is held against the server's clock.
#[test]
fn a_client_that_gets_little_of_any_core_says_that_it_was_the_limit() {
    let truth = tempfile::NamedTempFile::new().unwrap();
    let server = timed("20", "5", truth.path());
    let folder = tempfile::tempdir().unwrap();
    let flags = "--prompt x --max-tokens 100 --parallel 16 --number 32 --no-test-connection";
    let mut idle = Command::new("chrt");
    let run = command(folder.path(), &chat(&server.url()), flags);
    idle.args(["--idle", "0"]).arg(run.get_program()).args(run.get_args());
    idle.current_dir(run.get_current_dir().unwrap_or(Path::new(".")));
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => idle.env(name, value),
            None => idle.env_remove(name),
        };
    }
    let busy = BusyLoops::four_on_each_core();
    let output = idle.output().unwrap();
    drop(busy);
    server.stop();
    let run = Run { folder, output }.ended(0);
    let health = &run.json("parallel_16_number_32/summary.json")["Client Health"];
    let late = lateness_in(&run, truth.path());
    let worst = late[late.len() * 99 / 100];
    // It is said when it is so, of that very run, and in its order of magnitude.
    if worst > 10.0 {
        assert_eq!(health["client_limited"], true, "tokens were {worst} ms late: {health}");
    }
    let trust = health["trust_ms"].as_f64().unwrap();
    assert!(trust > worst / 10.0, "trusts itself to {trust} ms, and tokens were {worst} ms late");
}

/// And one that is left alone does not cry wolf, at a load that any machine can bear.
#[test]
fn a_client_at_ease_does_not_say_that_it_was_a_limit_of_its_own_doing() {
    let server =
        sim(SimSpec { ttft: "20".parse().unwrap(), itl: "20".parse().unwrap(), ..SimSpec::default() });
    let folder = tempfile::tempdir().unwrap();
    let flags = "--prompt x --max-tokens 20 --parallel 2 --number 6 --no-test-connection";
    let output = command(folder.path(), &chat(&server.url()), flags).output().unwrap();
    let run = Run { folder, output }.ended(0);
    let health = &run.json("parallel_2_number_6/summary.json")["Client Health"];
    assert_eq!(health["starved"], 0, "{health}");
    let verdict = health["verdict"].as_str().unwrap();
    assert!(!verdict.contains("% of a core") && !verdict.contains("not ready"), "{verdict}");
    assert!(health["worker_cpu_percent"].as_f64().unwrap() < 50.0, "{health}");
}
