use std::time::{Duration, Instant};

use super::*;
use crate::clock::monotonic_ns;

fn ints(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|it| it.as_i64().unwrap()).collect()
}

fn recorded(spec: SimSpec, act: impl FnOnce(&RunningSim)) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("truth.jsonl");
    let sim = start(SimSpec { truth: Some(path.clone()), ..spec });
    act(&sim);
    sim.stop();
    truth(&path)
}

#[test]
fn no_frame_is_written_before_it_is_due() {
    let spec = SimSpec {
        ttft: Distribution::Constant(8.0),
        itl: Distribution::Constant(2.5),
        prefill_us_per_token: 500.0,
        tokens_per_frame: 2,
        ..SimSpec::default()
    };
    let lines = recorded(spec, |sim| {
        let asked = Instant::now();
        chat(sim, 9, "");
        assert!(asked.elapsed() >= Duration::from_millis(8 + 3 + 10));
    });
    let line = &lines[0];
    let started = line["started_ns"].as_i64().unwrap();
    let frames = ints(&line["frame_ns"]);
    assert_eq!(ints(&line["frame_tokens"]), [2, 2, 2, 2, 1]);
    for (k, at) in frames.iter().enumerate() {
        // 8 ms, half a millisecond for each of six input tokens, and a step for each frame before.
        assert!(*at >= started + 11_000_000 + k as i64 * 2_500_000, "frame {k}");
    }
    assert!(line["received_ns"].as_i64().unwrap() <= started);
    assert!(line["finished_ns"].as_i64().unwrap() >= frames[4]);
}

/// The second request on a connection comes while the first one is answered, and waits in the socket.
#[test]
fn truth_tells_when_a_request_came_and_when_it_was_read() {
    let spec = SimSpec { ttft: Distribution::Constant(30.0), ..SimSpec::default() };
    let request = |headers| request("POST", "/v1/chat/completions", headers, &chat_body(1, ""));
    // The kernel begins to stamp a while after the first socket has asked for it; some never do.
    for _ in 0..100 {
        let mut written = [0; 2];
        let lines = recorded(spec.clone(), |sim| {
            let mut stream = TcpStream::connect(sim.address()).unwrap();
            stream.write_all(request("").as_bytes()).unwrap();
            written[0] = monotonic_ns();
            stream.write_all(request("connection: close\r\n").as_bytes()).unwrap();
            written[1] = monotonic_ns();
            stream.read_to_end(&mut Vec::new()).unwrap();
        });
        let first_frame = ints(&lines[0]["frame_ns"])[0];
        let received = lines[1]["received_ns"].as_i64().unwrap();
        let Some(arrived) = lines[1]["arrived_ns"].as_i64() else { continue };
        assert!(first_frame < received, "{lines:#?}");
        // Within the second write, but for clocks that are read a moment apart.
        let apart_ns = 5_000_000;
        assert!(written[0] - apart_ns < arrived && arrived < written[1] + apart_ns, "{lines:#?}");
        return;
    }
}

#[test]
fn truth_tells_what_was_sent_and_to_whom() {
    let lines = recorded(SimSpec::default(), |sim| {
        ask(
            sim,
            "POST",
            "/v1/completions",
            "X-Request-ID: r7\r\n",
            r#"{"prompt":"good time","max_tokens":3}"#,
        );
        ask(sim, "POST", "/nothing", "", "");
        ask(sim, "GET", "/health", "", "");
        chat(sim, 3, r#","sim_fault":"http_503""#);
    });
    assert_eq!(lines.len(), 3, "health checks are not recorded");
    let first = &lines[0];
    assert_eq!((&first["request_id"], &first["path"]), (&"r7".into(), &"/v1/completions".into()));
    assert_eq!((&first["input_tokens"], &first["output_tokens"]), (&2.into(), &3.into()));
    assert_eq!((&first["status"], &first["fault"]), (&200.into(), &Value::Null));
    assert_eq!((&first["cached_tokens"], &first["client_closed"]), (&Value::Null, &false.into()));
    assert_eq!(ints(&first["frame_tokens"]), [3]);
    assert_eq!((&lines[1]["status"], &lines[1]["started_ns"]), (&404.into(), &Value::Null));
    assert_eq!((&lines[2]["status"], &lines[2]["fault"]), (&503.into(), &"http_503".into()));
}

#[test]
fn with_one_slot_requests_are_answered_one_after_the_other() {
    let spec = SimSpec { slots: 1, threads: 2, itl: Distribution::Constant(1.0), ..SimSpec::default() };
    let mut lines = recorded(spec, |sim| {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| chat(sim, 5, ""));
            }
        });
    });
    assert_eq!(lines.len(), 4);
    let at = |line: &Value, field: &str| line[field].as_i64().unwrap();
    lines.sort_by_key(|line| at(line, "started_ns"));
    for pair in lines.windows(2) {
        assert!(at(&pair[1], "started_ns") >= at(&pair[0], "finished_ns"));
    }
}

#[test]
fn a_client_that_leaves_the_queue_takes_no_slot() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("truth.jsonl");
    let ttft = Distribution::Constant(60_000.0);
    let sim = start(SimSpec { slots: 1, ttft, truth: Some(path.clone()), ..SimSpec::default() });
    let send = || {
        let mut stream = TcpStream::connect(sim.address()).unwrap();
        let body = chat_body(1, "");
        stream.write_all(request("POST", "/v1/chat/completions", "", &body).as_bytes()).unwrap();
        stream
    };
    let mut first = send();
    // The head is sent when generation starts.
    first.read_exact(&mut [0; 12]).unwrap();
    drop(send());
    wait_for_lines(&path, 1);
    drop(first);
    wait_for_lines(&path, 2);
    let lines = truth(&path);
    assert!(lines.iter().all(|line| line["client_closed"] == true && line["output_tokens"] == 0));
    assert!(lines[0]["started_ns"].is_null() && lines[1]["started_ns"].is_i64());
}

#[test]
fn the_role_frame_can_come_long_before_the_first_token() {
    let spec = SimSpec {
        role_frame: RoleFrame::Early,
        ttft: Distribution::Constant(60_000.0),
        ..SimSpec::default()
    };
    let lines = recorded(spec, |sim| {
        let mut stream = TcpStream::connect(sim.address()).unwrap();
        let body = chat_body(1, "");
        stream.write_all(request("POST", "/v1/chat/completions", "", &body).as_bytes()).unwrap();
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains("\"role\":\"assistant\"") {
            let mut some = [0; 512];
            let read = stream.read(&mut some).unwrap();
            assert!(read > 0);
            seen.extend_from_slice(&some[..read]);
        }
    });
    assert_eq!(ints(&lines[0]["frame_ns"]), [] as [i64; 0]);
    let off = start(SimSpec { role_frame: RoleFrame::Off, ..SimSpec::default() });
    assert!(!chat(&off, 1, "").text().contains("role"));
}

#[test]
fn the_same_seed_gives_the_same_answers() {
    let lengths = || {
        let output_tokens = Distribution::Uniform { low: 1.0, high: 500.0 };
        let lines = recorded(SimSpec { output_tokens, seed: 7, ..SimSpec::default() }, |sim| {
            for _ in 0..5 {
                post(sim, "/v1/completions", r#"{"prompt":"time"}"#);
            }
        });
        lines.iter().map(|line| line["output_tokens"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(lengths(), lengths());
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let taken = start(SimSpec::default());
    let again = Sim::start(SimSpec { port: taken.address().port(), ..SimSpec::default() });
    assert!(matches!(again, Err(SimError::Listen { .. })));
    let nowhere = Sim::start(SimSpec { truth: Some("/nowhere/at/all".into()), ..SimSpec::default() });
    assert!(matches!(nowhere, Err(SimError::Truth { .. })));
}
