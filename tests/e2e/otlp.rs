//! A run as an OpenTelemetry collector hears of it.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tickrate::sim::SimSpec;

use crate::python::python;
use crate::raw_server::{Heard, RawServer, json_reply};
use crate::running::{Run, chat, command, files, perf, root, sim, start};

const KEY: &str = "otlp-very-secret-1234";

fn kind() -> RawServer {
    RawServer::start(|_| json_reply("{}"))
}

fn answering(status: &'static str) -> RawServer {
    RawServer::start(move |_| format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").into())
}

fn spec() -> SimSpec {
    SimSpec {
        ttft: "exp:20".parse().unwrap(),
        itl: "exp:5".parse().unwrap(),
        faults: vec!["http_500_html:0.2".parse().unwrap()],
        seed: 3,
        ..SimSpec::default()
    }
}

fn path(heard: &Heard) -> &str {
    heard.target().strip_prefix("POST ").expect("a POST")
}

/// The metrics of a request by name.
fn metric<'a>(request: &'a Value, name: &str) -> Option<&'a Value> {
    let metrics = request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array()?;
    metrics.iter().find(|metric| metric["name"] == name)
}

#[track_caller]
fn assert_nowhere(run: &Run, secret: &str) {
    assert!(!run.printed().contains(secret), "{}", run.printed());
    for file in files(run.folder.path()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{}", file.display());
    }
}

#[test]
fn a_collector_hears_the_figures_and_the_requests_of_the_run() {
    let (collector, server) = (kind(), sim(spec()));
    let flags = format!(
        "--no-test-connection --prompt hello --max-tokens 2 20 --parallel 2 8 --number 10 60 --warmup-num 3 \
         --otlp {} --otlp-headers X-Team={KEY} --otlp-interval 0.1 --otlp-traces",
        collector.url()
    );
    let run = perf(&chat(&server.url()), &flags).ended(0);
    let heard = collector.heard();
    let metrics: Vec<Value> =
        heard.iter().filter(|heard| path(heard) == "/v1/metrics").map(Heard::json).collect();
    assert!(metrics.len() > 3, "metrics come while the run goes on: {}", metrics.len());
    for heard in &heard {
        assert_eq!(heard.header("content-type"), Some("application/json"));
        assert_eq!(heard.header("x-team"), Some(KEY));
    }
    assert_nowhere(&run, KEY);
    assert!(run.json("run.json")["config"]["watch"]["otlp"].to_string().contains("X-Team=*"));

    // The tokens of a stage are those of its summary.
    let summary = run.json("parallel_8_number_60/summary.json");
    let stage = json!({"key": "tickrate.stage", "value": {"stringValue": "parallel_8_number_60"}});
    let output = json!({"key": "gen_ai.token.type", "value": {"stringValue": "output"}});
    let has = |point: &Value, attribute| point["attributes"].as_array().unwrap().contains(attribute);
    let points = metrics.iter().filter_map(|request| metric(request, "gen_ai.client.token.usage"));
    let mut points = points.flat_map(|metric| metric["histogram"]["dataPoints"].as_array().unwrap());
    let point = points.rfind(|point| has(point, &stage) && has(point, &output)).unwrap();
    assert_eq!(point["count"], json!(summary["Success Requests"].to_string()), "{summary:#}");
    let mean = point["sum"].as_f64().unwrap() / summary["Success Requests"].as_f64().unwrap();
    let told = summary["Avg Output Tokens"].as_f64().unwrap();
    assert!((mean - told).abs() < 0.001, "{mean} and {told}");
    let in_flight: Vec<&Value> =
        metrics.iter().filter_map(|request| metric(request, "tickrate.in_flight")).collect();
    let busiest = in_flight
        .iter()
        .map(|metric| metric["gauge"]["dataPoints"][0]["asInt"].as_str().unwrap().parse::<u64>().unwrap());
    assert!(matches!(busiest.max(), Some(1..=8)), "{in_flight:?}");

    // Everything else, by the protocol's own messages and from the records.
    let lines: Vec<String> =
        heard.iter().map(|heard| json!({"path": path(heard), "body": heard.json()}).to_string()).collect();
    let file = run.folder.path().join("heard.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let script = root().join("tests/python/check_otlp.py");
    let output = Command::new(python(&[])).arg(script).arg(run.path()).arg(&file).output().unwrap();
    let said = String::from_utf8([&output.stdout[..], &output.stderr[..]].concat()).unwrap();
    assert!(output.status.success() && said.starts_with("agree: "), "{said}");
}

#[test]
fn a_collector_that_is_away_or_refuses_costs_the_run_nothing_and_is_told_of_once() {
    let (refusing, server) = (answering("403 Forbidden"), sim(SimSpec::default()));
    let flags = "--no-test-connection --prompt hello --max-tokens 20 --parallel 1 2 --number 20 20 --otlp-interval 0.1";
    let cases = [
        ("http://127.0.0.1:1".to_string(), "error sending request"),
        (format!("{}/v1/metrics?key={KEY}", refusing.url()), "HTTP 403"),
    ];
    for (url, why) in cases {
        let line = format!("{flags} --otlp {url} --otlp-traces");
        let run = perf(&chat(&server.url()), &line).ended(0);
        let said = run.stdout();
        let warnings: Vec<&str> = said.lines().filter(|line| line.contains("--otlp")).collect();
        assert_eq!(warnings.len(), 2, "{said}");
        assert!(warnings[0].contains(why) && warnings[0].ends_with("the run goes on without it"), "{said}");
        assert!(warnings[1].ends_with("did not get the last figures of 2 stages, 40 spans"), "{said}");
        assert_eq!(run.records().len(), 40);
        assert!(run.records().iter().all(|record| record.ok()));
        assert_nowhere(&run, KEY);
    }
    let heard = refusing.heard();
    for signal in ["metrics", "traces"] {
        assert!(heard.iter().any(|heard| path(heard) == format!("/v1/{signal}?key={KEY}")), "{signal}");
    }
}

#[test]
fn a_collector_that_never_answers_holds_up_neither_the_run_nor_its_end() {
    let collector = RawServer::start(|_| {
        std::thread::sleep(Duration::from_secs(60));
        Vec::new()
    });
    let server = sim(SimSpec::default());
    let flags = format!(
        "--no-test-connection --prompt hello --max-tokens 30 --parallel 4 --number 40 --otlp {} --otlp-interval 0.1",
        collector.url()
    );
    let began = Instant::now();
    let run = perf(&chat(&server.url()), &flags).ended(0);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert!(run.stdout().contains("did not get the last figures of 1 stage"), "{}", run.stdout());
    assert_eq!(run.records().len(), 40);
}

#[test]
fn a_collector_that_was_away_for_a_while_gets_all_of_it() {
    let times = std::sync::atomic::AtomicUsize::new(0);
    let collector =
        RawServer::start(move |_| match times.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0..4 => "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n".into(),
            _ => json_reply("{}"),
        });
    let server = sim(spec());
    let flags = format!(
        "--no-test-connection --prompt hello --max-tokens 20 --parallel 4 --number 60 --otlp {} --otlp-interval 0.1 \
         --otlp-traces",
        collector.url()
    );
    let run = perf(&chat(&server.url()), &flags).ended(0);
    assert_eq!(run.stdout().matches("--otlp").count(), 1, "{}", run.stdout());
    let mut seen = std::collections::BTreeSet::new();
    let heard = collector.heard();
    for heard in heard.iter().skip(4).filter(|heard| path(heard) == "/v1/traces") {
        for span in heard.json()["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap() {
            assert!(seen.insert(span["spanId"].to_string()), "sent twice");
        }
    }
    assert_eq!(seen.len(), run.records().len());
}

#[test]
fn the_variables_of_opentelemetry_are_read_only_when_they_are_asked_for() {
    let (collector, server) = (kind(), sim(SimSpec::default()));
    let with = |flags: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut command = command(folder.path(), &chat(&server.url()), flags);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url());
        command.env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer%20{KEY}"));
        command.output().unwrap()
    };
    let flags = "--no-test-connection --prompt hello --number 2 --max-tokens 3";
    assert!(with(flags).status.success());
    assert_eq!(collector.heard().len(), 0, "nobody asked");
    let output = with(&format!("{flags} --otlp"));
    assert!(output.status.success(), "{output:?}");
    let heard = collector.heard();
    assert_eq!(heard.last().unwrap().header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    let said = format!("{output:?}");
    assert!(!said.contains(KEY), "{said}");
}

#[test]
fn flags_that_cannot_be_are_told_in_one_line_each() {
    let flags = "--prompt hello --otlp ftp://x --otlp-interval 0 --otlp-traces 2 --otlp-headers a=b A=c";
    let run = perf("http://127.0.0.1:1", flags).ended(2);
    let said = run.stderr();
    for told in [
        "--otlp: \"ftp://x\" is not an http:// or https:// URL",
        "--otlp-interval: must be from 0.1 to 86400 seconds, but got 0",
        "--otlp-traces: must be more than 0 and at most 1, but got 2",
        "--otlp-headers: the header \"A\" is given twice; keep one",
    ] {
        assert!(said.contains(told), "{told}\n{said}");
    }
}

#[test]
fn a_run_that_is_interrupted_still_tells_its_last_figures() {
    let (collector, server) = (kind(), sim(spec()));
    let folder = tempfile::tempdir().unwrap();
    let flags = format!(
        "--no-test-connection --prompt hello --max-tokens 20 --parallel 4 --number 100000 --otlp {} --otlp-interval 0.2",
        collector.url()
    );
    let child = start(folder.path(), &chat(&server.url()), &flags);
    crate::running::wait_until("the collector has heard something", || collector.heard().len() > 1);
    crate::running::signal(&child, libc::SIGINT);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let run = Run { folder, output };
    let heard: Vec<Value> = collector.heard().iter().map(Heard::json).collect();
    let last = heard.iter().filter_map(|request| metric(request, "tickrate.requests")).next_back().unwrap();
    let points = last["sum"]["dataPoints"].clone();
    let told: usize = points
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point["asInt"].as_str().unwrap().parse::<usize>().unwrap())
        .sum();
    assert_eq!(told, run.records().len());
}
