//! A run on a web page, and as metrics for Prometheus.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;

use serde_json::{Value, json};
use tickrate::sim::SimSpec;

use crate::browser::checked;
use crate::running::{Run, chat, perf_on, sim, start};

/// Where a run that was just started serves what it prints under `name`.
pub fn address(child: &mut Child, name: &str) -> String {
    let out = child.stdout.as_mut().expect("its output");
    // Byte by byte, so that nothing of what comes later is taken away.
    let (mut line, mut byte) = (Vec::new(), [0]);
    while out.read_exact(&mut byte).is_ok() {
        match byte[0] {
            b'\n' => {
                let text = String::from_utf8(std::mem::take(&mut line)).unwrap();
                if let Some(url) = text.strip_prefix(&format!("{name}: http://")) {
                    return url.split('/').next().unwrap().to_string();
                }
            }
            byte => line.push(byte),
        }
    }
    panic!("it does not say where its {name} is")
}

/// The head and the body of an answer.
fn get(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_string(), body.to_string())
}

fn steady() -> SimSpec {
    SimSpec {
        ttft: "40".parse().unwrap(),
        itl: "10".parse().unwrap(),
        faults: vec!["http_500_html:0.2".parse().unwrap()],
        seed: 3,
        ..SimSpec::default()
    }
}

#[test]
fn the_page_its_events_and_the_metrics_tell_what_goes_on() {
    let server = sim(steady());
    let folder = tempfile::tempdir().unwrap();
    let flags = "--no-test-connection --prompt hello --max-tokens 20 --parallel 2 4 --number 8 60 --dashboard 0 \
                 --prometheus 0";
    let mut child = start(folder.path(), &chat(&server.url()), flags);
    let page = address(&mut child, "dashboard");
    let metrics = address(&mut child, "prometheus");
    assert!(page.starts_with("127.0.0.1:") && page != metrics);

    let (head, body) = get(&page, "/");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\ncontent-type: text/html"), "{head}");
    assert!(head.contains("default-src 'none'"), "{head}");
    assert!(!body.contains(" src=") && !body.contains("href=\"h"), "nothing is loaded");
    assert!(get(&page, "/nothing").0.starts_with("HTTP/1.1 404"));
    assert!(get(&metrics, "/").0.starts_with("HTTP/1.1 404"), "only the metrics are there");
    assert!(get(&metrics, "/metrics").1.contains("# TYPE tickrate_requests_total counter"));

    // The events until the end of the run: the last one is all of it.
    let mut stream = TcpStream::connect(&page).unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\n\r\n").unwrap();
    let lines: Vec<String> = BufReader::new(stream).lines().map(Result::unwrap).collect();
    let pictures: Vec<Value> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|json| serde_json::from_str(json).unwrap())
        .collect();
    assert!(pictures.len() >= 3, "{lines:#?}");
    assert!(lines.iter().any(|line| line == "event: end"));
    let in_flight =
        pictures.iter().filter_map(|picture| picture["snapshot"]["stage"]["in_flight"].as_u64()).max();
    assert_eq!(in_flight, Some(4));
    let last = pictures.last().unwrap();
    let finished = last["finished"].as_array().unwrap();
    assert_eq!(finished.len(), 2);
    let output = child.wait_with_output().unwrap();
    let run = Run { folder, output }.ended(0);
    for stage in finished {
        let summary = run.json(&format!("{}/summary.json", stage["name"].as_str().unwrap()));
        assert_eq!(stage["succeeded"], summary["Success Requests"]);
        assert_eq!(stage["errors"]["http_status"], summary["Errors"]["http_status"]["count"]);
    }
    // What the charts are drawn from adds up to the stage.
    let series = last["series"].as_array().unwrap();
    let sum = |name: &str| series.iter().map(|point| point[name].as_f64().unwrap()).sum::<f64>();
    assert_eq!(json!(sum("succeeded") as u64), finished[1]["succeeded"]);
    assert_eq!(json!(sum("output_tokens") as u64), finished[1]["output_tokens"]);
}

#[test]
fn a_browser_that_watches_sees_the_figures_that_the_run_writes() {
    let server = sim(steady());
    let folder = tempfile::tempdir().unwrap();
    let flags =
        "--no-test-connection --prompt hello --max-tokens 20 --parallel 2 4 --number 8 100 --dashboard 0";
    let mut child = start(folder.path(), &chat(&server.url()), flags);
    let page = format!("http://{}/", address(&mut child, "dashboard"));
    let run = folder.path().join("outputs/run");
    checked("check_dashboard.py", Path::new(&page), run.to_str().unwrap());
    let output = child.wait_with_output().unwrap();
    Run { folder, output }.ended(0);
}

#[test]
fn a_port_that_is_taken_is_told_before_any_request() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let flags = format!("--no-test-connection --prompt hello --number 1 --dashboard {port}");
    let run = perf_on(steady(), &flags).ended(2);
    let said = run.stderr();
    assert!(said.starts_with(&format!("error: --dashboard: cannot listen on 127.0.0.1:{port}: ")), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
