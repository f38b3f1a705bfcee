//! Servers that cannot be reached or refuse, at the connection test and in a run.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use tickrate::sim::SimSpec;

use crate::raw_server::RawServer;
use crate::running::{Run, chat, failure, perf, perf_on, sim};

const ONE: &str = "--prompt hello --max-tokens 8 --number 3";

/// A port that nobody listens on.
fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// What a run says on standard error, with the server's address replaced.
fn said(run: &Run, url: &str) -> String {
    run.stderr().replace(url, "URL")
}

/// Both what the connection test says, and what the run says without it.
fn both_ways(name: &str, url: &str, flags: &str, all: &mut String) -> Run {
    let tested = perf(&chat(url), &format!("{ONE} {flags}")).ended(3);
    assert_eq!(tested.stderr().lines().count(), 1, "{}", tested.printed());
    assert!(tested.records().is_empty());
    let run = perf(&chat(url), &format!("{ONE} --no-test-connection {flags}")).ended(4);
    let line = run.stdout().lines().find(|line| line.contains(" failed (")).unwrap_or_default().to_string();
    *all += &format!("{name}\n  tested: {}  in the run: {}\n", said(&tested, url), line.replace(url, "URL"));
    run
}

#[test]
fn failing_servers_are_told_at_the_test_and_recorded_in_the_run() {
    let server = sim(SimSpec::default());
    let (url, mut all) = (server.url(), String::new());
    let fault = |name: &str| format!("--extra-args {{\"sim_fault\":\"{name}\"}}");
    for (name, kind, status) in [
        ("http_401", "http_status", Some(401)),
        ("http_404", "http_status", Some(404)),
        ("http_429", "http_status", Some(429)),
        ("http_500_html", "http_status", Some(500)),
        ("reset", "truncated", None),
        ("empty", "truncated", Some(200)),
    ] {
        let run = both_ways(name, &url, &fault(name), &mut all);
        let records = run.records();
        assert_eq!(records.len(), 3, "{}", run.printed());
        for record in &records {
            assert_eq!((failure(record).0, record.status), (kind, status), "{name}: {}", failure(record).1);
            assert!(record.sent.is_some() && record.ttft_ms.is_none() && record.tokens.output.is_none());
        }
        let summary = run.json("parallel_1_number_3/summary.json");
        assert_eq!(summary["Failed Requests"], 3);
        assert_eq!(summary["Errors"][kind]["count"], 3, "{summary}");
    }
    let run = both_ways("wrong path", &format!("{url}/v2"), "", &mut all);
    assert!(run.records().iter().all(|record| record.status == Some(404)));
    let secure = url.replace("http:", "https:");
    let run = both_ways("TLS that is refused", &secure, "", &mut all);
    for record in run.records() {
        assert_eq!((failure(&record).0, record.sent), ("tls", None), "{}", failure(&record).1);
    }
    insta::assert_snapshot!("failing_servers", all);
}

#[test]
fn an_unreachable_server_is_told_within_seconds() {
    let url = format!("http://{}", closed_port());
    let begun = Instant::now();
    let run = perf(&chat(&url), ONE).ended(3);
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    assert_eq!(
        said(&run, &url),
        "error: the connection test at \"URL/v1/chat/completions\" failed (connect): cannot connect: \
         Connection refused (os error 111); check --url and that the server is up\n"
    );
    let run = perf(&chat(&url), &format!("{ONE} --no-test-connection")).ended(4);
    for record in run.records() {
        assert_eq!(failure(&record), ("connect", "cannot connect: Connection refused (os error 111)"));
        assert_eq!((record.sent, record.status, record.latency_ms), (None, None, None));
    }
}

#[test]
fn a_name_that_nobody_knows_is_told() {
    let run = perf(&chat("http://no-such-host.invalid:80"), ONE).ended(3);
    assert_eq!(run.stderr().lines().count(), 1, "{}", run.printed());
    assert!(run.stderr().contains("no-such-host.invalid") && run.stderr().contains("check --url"));
}

#[test]
fn a_port_that_speaks_no_http_is_told() {
    let server = RawServer::start(|_| b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec());
    let run = perf(&chat(&server.url()), ONE).ended(3);
    assert_eq!(run.stderr().lines().count(), 1, "{}", run.printed());
    assert!(
        run.stderr().contains("(invalid_reply): what the server sends is not valid HTTP: "),
        "{}",
        run.stderr()
    );
    assert_eq!(server.heard().len(), 1, "it is not tried again");
}

#[test]
fn a_server_that_is_about_to_listen_is_waited_for() {
    let address = closed_port();
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(1200));
        sim(SimSpec { port: address.port(), ..SimSpec::default() })
    });
    let run = perf(&chat(&format!("http://{address}")), ONE);
    let server = late.join().unwrap();
    assert_eq!(run.ended(0).records().len(), 3);
    drop(server);
}

#[test]
fn a_share_of_failures_leaves_the_other_records_whole_and_exits_0() {
    let faults = ["http_500_html:0.2", "cut:0.2", "reset:0.2", "error_event:0.2"];
    let faults = faults.iter().map(|share| share.parse().unwrap()).collect();
    let spec = SimSpec { faults, seed: 5, ..SimSpec::default() };
    let flags = "--no-test-connection --prompt hello --max-tokens 8 --parallel 4 --number 80";
    let run = perf_on(spec, flags).ended(0);
    let records = run.records();
    assert_eq!(records.len(), 80);
    let count = |kind: &str| {
        records.iter().filter(|r| r.failure.as_ref().is_some_and(|f| f.kind.name() == kind)).count()
    };
    let (good, bad): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.ok());
    assert_eq!(count("http_status") + count("truncated") + count("stream_error"), bad.len());
    assert!(
        good.len() > 10 && count("http_status") > 3 && count("truncated") > 5 && count("stream_error") > 3
    );
    for record in &good {
        assert_eq!((record.tokens.output, record.token_frames.len()), (Some(8), 8));
    }
    let summary = run.json("parallel_4_number_80/summary.json");
    assert_eq!(summary["Success Requests"], good.len());
    assert_eq!(summary["Errors"]["truncated"]["count"], count("truncated"));
    let line = format!("{} failed (http_status): HTTP 500: ", count("http_status"));
    assert!(run.stdout().contains(&line), "{}", run.stdout());
}

#[test]
fn a_hanging_server_ends_in_a_read_timeout_or_a_total_timeout() {
    let hang = "--extra-args {\"sim_fault\":\"hang\"}";
    for (flag, kind, message) in [
        ("--read-timeout", "read_timeout", "nothing to read for --read-timeout"),
        ("--total-timeout", "total_timeout", "not finished within --total-timeout"),
    ] {
        let run =
            perf_on(SimSpec::default(), &format!("{ONE} --no-test-connection {hang} {flag} 0.3")).ended(4);
        for record in run.records() {
            assert_eq!(failure(&record), (kind, message));
            assert!(record.sent.is_some());
            // The time counts from when the request was handed over, which is after it was due.
            assert!((record.closed - record.due).as_ms() >= 299.0, "not before its time");
        }
        let tested = perf_on(SimSpec::default(), &format!("{ONE} {hang} {flag} 0.3")).ended(3);
        let advice = "raise the timeout, or look at the server's load";
        assert!(tested.stderr().contains(message) && tested.stderr().contains(advice), "{}", tested.stderr());
    }
}

#[test]
fn a_stalled_stream_keeps_what_came_before_its_timeout() {
    let flags = "--no-test-connection --prompt hello --max-tokens 8 --number 1 --read-timeout 0.3 \
                 --extra-args {\"sim_fault\":\"stall\"}";
    let record = perf_on(SimSpec::default(), flags).ended(4).only_record();
    assert_eq!(failure(&record).0, "read_timeout");
    assert_eq!((record.token_frames.len(), record.status), (3, Some(200)));
    assert!((record.closed - record.last_token.unwrap()).as_ms() >= 299.0);
}

#[test]
fn a_slow_stream_is_no_read_timeout_and_a_long_one_is_a_total_timeout() {
    let spec = SimSpec { itl: "40".parse().unwrap(), ..SimSpec::default() };
    let flags = "--no-test-connection --prompt hello --max-tokens 30 --number 1 --read-timeout 1";
    assert!(perf_on(spec.clone(), flags).ended(0).only_record().ok(), "1.2 s in all, never 1 s of silence");
    let record = perf_on(spec, &format!("{flags} --total-timeout 0.5")).ended(4).only_record();
    assert_eq!(failure(&record).0, "total_timeout");
    assert!(!record.token_frames.is_empty() && record.token_frames.len() < 30);
}

/// A listener whose queue is full drops what else knocks, as an unreachable host does.
#[test]
fn no_connection_in_time_is_a_connect_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // SAFETY: the descriptor is the listener's own; to listen again sets the length of its queue.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let address = listener.local_addr().unwrap();
    let mut knocking = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        knocking.push(stream);
        assert!(knocking.len() < 10, "the queue does not fill up");
    }
    let url = chat(&format!("http://{address}"));
    let flags = "--prompt hello --number 1 --no-test-connection --connect-timeout 0.4";
    let record = perf(&url, flags).ended(4).only_record();
    assert_eq!(failure(&record), ("connect_timeout", "no connection within --connect-timeout"));
    assert_eq!(record.sent, None);
    assert!((record.closed - record.due).as_ms() >= 399.0);
}
