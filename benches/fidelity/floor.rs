//! The floor: what a program can know that does nothing but read. One thread, one epoll, one read
//! at a time and a stamp after each; what the bytes mean is found out when all of them are there.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, IoSlice, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::ExitCode;

use serde::Deserialize;
use tickrate::clock::monotonic_ns;

use crate::BenchError;
use crate::client::Load;
use crate::launch::{self, Cores, Standing, Usage};
use crate::truth::Seen;

/// The first argument of the process that is the raw reader.
pub const FLOOR: &str = "--floor";

/// Runs the raw reader against `url` in a process of its own.
pub fn run(
    url: &str,
    load: &Load,
    cores: &Cores,
    standing: Standing,
    folder: &Path,
) -> Result<(Vec<Seen>, Usage), BenchError> {
    let this = std::env::current_exe().map_err(BenchError::system("find this program"))?;
    let out = folder.join("floor.jsonl");
    let numbers = [load.streams as u64, load.requests];
    let body_file = folder.join("body.json");
    let body = body(&load.prompt.text(), load.max_tokens);
    std::fs::write(&body_file, body).map_err(BenchError::system("write the raw reader's request"))?;
    let mut arguments = vec![OsString::from(FLOOR), out.clone().into(), url.into(), body_file.into()];
    arguments.extend(numbers.map(|number| OsString::from(number.to_string())));
    let usage = launch::measured(&this, &arguments, cores, standing, folder)?;
    let text = std::fs::read_to_string(&out).map_err(BenchError::system("read the raw reader's times"))?;
    Ok((text.lines().filter_map(seen_from).collect(), usage))
}

fn seen_from(line: &str) -> Option<Seen> {
    let (id, times) = line.split_once(' ')?;
    let times: Vec<i64> = times.split(' ').filter_map(|time| time.parse().ok()).collect();
    let (&sent, tokens) = times.split_first()?;
    let ms = |ns: i64| ns as f64 / 1e6;
    Some(Seen {
        request_id: id.to_string(),
        sent_ns: sent,
        first_token_ns: *tokens.first()?,
        ttft_ms: ms(tokens.first()? - sent),
        latency_ms: ms(tokens.last()? - sent),
        itl_ms: tokens.windows(2).map(|pair| ms(pair[1] - pair[0])).collect(),
    })
}

/// The raw reader: `--floor FILE URL BODY_FILE STREAMS REQUESTS`.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<String> = arguments.map(|argument| argument.to_string_lossy().into_owned()).collect();
    let number = |at: usize| arguments.get(at)?.parse::<u64>().ok();
    let [out, url, body, ..] = &arguments[..] else { return ExitCode::from(2) };
    let (Some(streams), Some(requests)) = (number(3), number(4)) else { return ExitCode::from(2) };
    let address = url.trim_start_matches("http://");
    let read = std::fs::read_to_string(body)
        .and_then(|body| read_all(address, streams as usize, requests, body.as_bytes()))
        .and_then(|all| write_all(out, &all));
    match read {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// One reply: its bytes as they came, and after each read the time and how much there was.
struct Exchange {
    number: u64,
    sent_ns: i64,
    bytes: Vec<u8>,
    marks: Vec<(i64, usize)>,
}

struct Connection<'a> {
    socket: TcpStream,
    exchange: Option<Exchange>,
    head: Vec<u8>,
    /// The same for all. A copy of a long one, made before it is sent, would spread the sends of many out,
    /// and what it takes the server to read them all would be on nobody's way.
    body: &'a [u8],
    /// How much of the request the socket has taken.
    taken: usize,
}

/// The body of every request, which is what tickrate sends as well.
fn body(prompt: &str, max_tokens: u32) -> String {
    format!(
        "{{\"model\":\"tickrate-sim\",\"messages\":[{{\"role\":\"user\",\"content\":\"{prompt}\"}}],\
         \"max_tokens\":{max_tokens},\"stream\":true,\"temperature\":0.0,\
         \"stream_options\":{{\"include_usage\":true}}}}"
    )
}

impl Connection<'_> {
    fn send(&mut self, address: &str, number: u64) -> io::Result<()> {
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             x-request-id: floor-{number}\r\ncontent-length: {}\r\n\r\n",
            self.body.len()
        );
        let exchange = Exchange { number, sent_ns: monotonic_ns(), bytes: Vec::new(), marks: Vec::new() };
        self.exchange = Some(exchange);
        (self.head, self.taken) = (head.into_bytes(), 0);
        self.send_on()
    }

    fn is_sent(&self) -> bool {
        self.taken == self.head.len() + self.body.len()
    }

    /// Writes as much as the socket takes.
    fn send_on(&mut self) -> io::Result<()> {
        while !self.is_sent() {
            let of_head = self.taken.min(self.head.len());
            let pieces = [&self.head[of_head..], &self.body[self.taken - of_head..]].map(IoSlice::new);
            match self.socket.write_vectored(&pieces) {
                Ok(written) => self.taken += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What the event loop is to tell of it.
    fn watch(&self, epoll: libc::c_int, operation: libc::c_int, index: usize) -> io::Result<()> {
        let room = if self.is_sent() { 0 } else { libc::EPOLLOUT };
        let mut event = libc::epoll_event { events: (libc::EPOLLIN | room) as u32, u64: index as u64 };
        // SAFETY: both descriptors are open, and the event is valid for the call.
        match unsafe { libc::epoll_ctl(epoll, operation, self.socket.as_raw_fd(), &mut event) } {
            0.. => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

fn read_all(address: &str, streams: usize, requests: u64, body: &[u8]) -> io::Result<Vec<Exchange>> {
    // SAFETY: a plain system call; its result is checked.
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    if epoll < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut connections = Vec::with_capacity(streams);
    for _ in 0..streams {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        connections.push(Connection { socket, exchange: None, head: Vec::new(), body, taken: 0 });
    }
    let mut next = 0;
    for (index, connection) in connections.iter_mut().enumerate().take(requests as usize) {
        connection.send(address, next)?;
        connection.watch(epoll, libc::EPOLL_CTL_ADD, index)?;
        next += 1;
    }
    let mut done = Vec::with_capacity(requests as usize);
    let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; 1024];
    let mut buffer = vec![0_u8; 64 << 10];
    while done.len() < requests as usize {
        // SAFETY: the buffer holds as many events as the call is told.
        let ready = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), events.len() as i32, -1) };
        for event in &events[..usize::try_from(ready).unwrap_or(0)] {
            let index = event.u64 as usize;
            let connection = &mut connections[index];
            if !connection.is_sent() {
                connection.send_on()?;
                if connection.is_sent() {
                    connection.watch(epoll, libc::EPOLL_CTL_MOD, index)?;
                }
            }
            if event.events == libc::EPOLLOUT as u32 {
                continue;
            }
            let socket = connection.socket.as_raw_fd();
            // SAFETY: the buffer is as large as the call is told.
            let read = unsafe { libc::read(socket, buffer.as_mut_ptr().cast(), buffer.len()) };
            let at = monotonic_ns();
            let Ok(read @ 1..) = usize::try_from(read) else {
                if read < 0 && io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock {
                    continue;
                }
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            let Some(exchange) = &mut connection.exchange else { continue };
            exchange.bytes.extend_from_slice(&buffer[..read]);
            exchange.marks.push((at, exchange.bytes.len()));
            if exchange.bytes.ends_with(b"\r\n0\r\n\r\n") {
                done.extend(connection.exchange.take());
                if next < requests {
                    connection.send(address, next)?;
                    if !connection.is_sent() {
                        connection.watch(epoll, libc::EPOLL_CTL_MOD, index)?;
                    }
                    next += 1;
                }
            }
        }
    }
    Ok(done)
}

/// As much of an event as tells whether it has output.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
}

/// Writes, for each request, its id, when it was sent and when each token was there.
fn write_all(out: &str, exchanges: &[Exchange]) -> io::Result<()> {
    let mut file = io::BufWriter::new(std::fs::File::create(out)?);
    for exchange in exchanges {
        write!(file, "floor-{} {}", exchange.number, exchange.sent_ns)?;
        for at in token_times(exchange) {
            write!(file, " {at}")?;
        }
        writeln!(file)?;
    }
    file.flush()
}

/// When each event with output was there. The simulator writes an event in a chunk of its own, so
/// that an event's bytes lie together in what came over the wire.
fn token_times(exchange: &Exchange) -> Vec<i64> {
    let mut times = Vec::new();
    let mut marks = exchange.marks.iter().peekable();
    let mut at = 0;
    while let Some(start) = find(&exchange.bytes[at..], b"data: ") {
        let start = at + start + b"data: ".len();
        let Some(length) = find(&exchange.bytes[start..], b"\n\n") else { break };
        let end = start + length;
        at = end + 2;
        while marks.next_if(|mark| mark.1 < at).is_some() {}
        let Ok(event) = serde_json::from_slice::<Event>(&exchange.bytes[start..end]) else { continue };
        let content = event.choices.first().and_then(|choice| choice.delta.content.as_deref());
        if let (Some(1..), Some(mark)) = (content.map(str::len), marks.peek()) {
            times.push(mark.0);
        }
    }
    times
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    let first = what[0];
    let mut from = 0;
    while let Some(offset) = bytes[from..].iter().position(|&byte| byte == first) {
        let at = from + offset;
        if bytes[at..].starts_with(what) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}
