//! The server as a client sees it, over a raw socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::Value;

use super::*;

mod dialects;
mod endpoints;
mod misbehaviour;
mod timing;

/// A reply as it came: the status line with the headers, and the body with its chunks undone.
struct Answer {
    head: String,
    body: Vec<u8>,
    /// Whether the body came to its end.
    complete: bool,
}

impl Answer {
    fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The `data` of each event, by the rules of SSE.
    fn events(&self) -> Vec<String> {
        let text = self.text().replace("\r\n", "\n");
        let data = |event: &str| {
            let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
            lines.map(|line| line.trim_start()).collect::<Vec<_>>().join("\n")
        };
        text.split("\n\n").map(data).filter(|data| !data.is_empty()).collect()
    }

    /// The JSON of each event that is not the end marker.
    fn frames(&self) -> Vec<Value> {
        let events = self.events();
        events
            .iter()
            .filter(|data| *data != "[DONE]")
            .map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }

    /// The JSON of each line.
    fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nhost: sim\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

/// One request on a connection of its own, read to its end.
fn ask(sim: &RunningSim, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(sim.address()).unwrap();
    let headers = format!("connection: close\r\n{headers}");
    stream.write_all(request(method, path, &headers, body).as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    undo(&bytes)
}

fn post(sim: &RunningSim, path: &str, body: &str) -> Answer {
    ask(sim, "POST", path, "", body)
}

/// A streamed chat of `tokens` tokens with a usage, and further fields of the body.
fn chat(sim: &RunningSim, tokens: u64, fields: &str) -> Answer {
    post(sim, "/v1/chat/completions", &chat_body(tokens, fields))
}

fn chat_body(tokens: u64, fields: &str) -> String {
    format!(
        r#"{{"messages":[{{"role":"user","content":"good time"}}],"stream":true,
        "stream_options":{{"include_usage":true}},"max_tokens":{tokens}{fields}}}"#
    )
}

fn undo(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("no head") + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut rest = &bytes[end..];
    if !head.contains("chunked") {
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let complete = rest.len() == length.parse::<usize>().unwrap();
        return Answer { head, body: rest.to_vec(), complete };
    }
    let (mut body, mut complete) = (Vec::new(), false);
    while let Some(line) = rest.windows(2).position(|window| window == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        rest = &rest[line + 2..];
        if length == 0 {
            complete = rest == b"\r\n";
            break;
        }
        body.extend_from_slice(&rest[..length.min(rest.len())]);
        rest = rest.get(length + 2..).unwrap_or_default();
    }
    Answer { head, body, complete }
}

fn start(spec: SimSpec) -> RunningSim {
    Sim::start(spec).unwrap()
}

/// The lines of a ground-truth file whose server has stopped.
fn truth(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits until a running server has recorded so many requests.
fn wait_for_lines(path: &Path, lines: usize) {
    while std::fs::read_to_string(path).unwrap().matches('\n').count() < lines {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// The text of a chat's frames.
fn content(frames: &[Value], field: &str) -> String {
    frames.iter().filter_map(|frame| frame["choices"][0]["delta"][field].as_str()).collect()
}
