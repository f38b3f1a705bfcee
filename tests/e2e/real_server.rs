//! A real inference server: llama.cpp's, with a tiny model of random weights.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use tickrate::record::RequestRecord;

use crate::python::python;
use crate::running::{chat, perf, root, signal};

struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start() -> Server {
        let python = python(&["tests/real_server/requirements.txt", "real-server-venv"]);
        let model = root().join("target/real-server/tiny.gguf");
        let make = root().join("tests/real_server/make_model.py");
        let made = Command::new(&python).arg(make).arg(&model).output().unwrap();
        assert!(made.status.success(), "no model:\n{}", String::from_utf8_lossy(&made.stderr));
        let log = tempfile::tempfile().unwrap();
        let mut process = Command::new(&python)
            .arg(root().join("tests/real_server/serve.py"))
            .args(["--port", "0", "--model"])
            .arg(&model)
            .stdout(Stdio::piped())
            .stderr(log.try_clone().unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.strip_prefix("listening on ").map(|url| url.trim().to_string());
        let url = url.unwrap_or_else(|| {
            let _ = (process.kill(), process.wait());
            let mut log = log;
            let mut told = String::new();
            let _ = std::io::Seek::rewind(&mut log).and_then(|()| log.read_to_string(&mut told));
            panic!("the server did not start:\n{told}")
        });
        Server { process, url }
    }

    /// A counter of the server's own.
    fn counter(&self, name: &str) -> u64 {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("llamacpp:{name} ")));
        let value = line.unwrap_or_else(|| panic!("no {name} in {text}"));
        value.trim().parse::<f64>().unwrap() as u64
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        signal(&self.process, libc::SIGTERM);
        let _ = self.process.wait();
    }
}

fn label(record: &RequestRecord, name: &str) -> f64 {
    let found = record.labels.iter().find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("no {name} in {:?}", record.labels)).1.parse().unwrap()
}

#[test]
fn the_counts_and_times_of_a_real_server_agree_with_the_records() {
    let server = Server::start();
    let flags = "--no-test-connection --parallel 1 4 --number 3 8 --max-tokens 16 --prompt Name-three-rivers. \
                 --extra-args {\"ignore_eos\":true}";
    let run = perf(&chat(&server.url), flags).ended(0);
    let records = run.records();
    assert_eq!(records.len(), 11);
    for record in &records {
        assert!(record.ok(), "{:?}", record.failure);
        assert_eq!((record.tokens.output, record.finish_reason.as_deref()), (Some(16), Some("length")));
        assert_eq!(label(record, "server_predicted_n"), 16.0);
        let prompt = label(record, "server_prompt_n") as u64 + record.tokens.cached.unwrap_or(0);
        assert_eq!(record.tokens.input, Some(prompt), "what was read anew and what was cached");
        assert_eq!(record.token_frames.len(), 16, "each token of this model is a text");
        // What the server measured of itself is part of what we waited for.
        let (ttft_ms, latency_ms) = (record.ttft_ms.unwrap(), record.latency_ms.unwrap());
        assert!(label(record, "server_prompt_ms") <= ttft_ms, "{record:?}");
        let server_ms = label(record, "server_prompt_ms") + label(record, "server_predicted_ms");
        assert!(server_ms <= latency_ms + 5.0, "{server_ms} ms inside of {latency_ms} ms");
        assert!(ttft_ms < latency_ms && record.itl_ms.len() == 15);
    }
    let sum = |of: fn(&RequestRecord) -> u64| records.iter().map(of).sum::<u64>();
    assert_eq!(server.counter("tokens_predicted_total"), sum(|record| record.tokens.output.unwrap()));
    let anew = sum(|record| record.tokens.input.unwrap() - record.tokens.cached.unwrap_or(0));
    assert_eq!(server.counter("prompt_tokens_total"), anew);
    let summary = run.json("parallel_4_number_8/summary.json");
    assert_eq!((&summary["Success Requests"], &summary["Avg Output Tokens"]), (&8.into(), &16.0.into()));
}

#[test]
fn a_real_servers_refusal_is_told_in_its_words() {
    let server = Server::start();
    let flags = "--prompt hello --number 1 --extra-args {\"messages\":7}";
    let run = perf(&chat(&server.url), flags).ended(3);
    assert!(run.stderr().contains("HTTP 4") || run.stderr().contains("HTTP 5"), "{}", run.stderr());
    assert_eq!(run.stderr().lines().count(), 1);
}
