//! A server that keeps what it hears and answers with whatever bytes a test likes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub struct Heard {
    pub head: String,
    pub body: Vec<u8>,
}

impl Heard {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The method and the path.
    pub fn target(&self) -> &str {
        self.head.split(" HTTP/").next().unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }
}

/// A listening server; it serves until the test process ends.
pub struct RawServer {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl RawServer {
    /// Answers each request with what `answer` makes of it; an empty answer closes the connection.
    pub fn start(answer: impl Fn(&Heard) -> Vec<u8> + Send + Sync + 'static) -> RawServer {
        RawServer::listen(answer, usize::MAX)
    }

    /// The same, and ends a connection after `most` answers without having said that it will.
    pub fn closing_after(
        most: usize,
        answer: impl Fn(&Heard) -> Vec<u8> + Send + Sync + 'static,
    ) -> RawServer {
        RawServer::listen(answer, most)
    }

    fn listen(answer: impl Fn(&Heard) -> Vec<u8> + Send + Sync + 'static, most: usize) -> RawServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (heard.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (kept.clone(), answer.clone());
                std::thread::spawn(move || serve(stream, &kept, answer.as_ref(), most));
            }
        });
        RawServer { address, heard }
    }

    /// Answers every request well, with one token.
    pub fn kind() -> RawServer {
        RawServer::start(|_| json_reply(&one_token()))
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything heard so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

/// A whole chat reply of one token.
pub fn one_token() -> String {
    serde_json::json!({
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
    })
    .to_string()
}

/// A reply of status 200 with a JSON body.
pub fn json_reply(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .into()
}

fn serve(mut stream: TcpStream, heard: &Mutex<Vec<Heard>>, answer: &dyn Fn(&Heard) -> Vec<u8>, most: usize) {
    for _ in 0..most {
        let Some(request) = read(&mut stream) else { return };
        heard.lock().unwrap().push(request.clone());
        let reply = answer(&request);
        if reply.is_empty() || stream.write_all(&reply).is_err() {
            return;
        }
    }
    // What comes after the end is read and forgotten, so that the client sees an end and no reset.
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

fn read(stream: &mut TcpStream) -> Option<Heard> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let body = bytes[end + 4..].to_vec();
            let mut heard = Heard { head, body };
            let length = heard.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
            let have = heard.body.len();
            heard.body.resize(length, 0);
            if have < length {
                stream.read_exact(&mut heard.body[have..]).ok()?;
            }
            return Some(heard);
        }
        let read = stream.read(&mut buffer).ok().filter(|&read| read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
    }
}
