//! HTTP/1.1 by hand, so that a fault has control of every byte.

use std::io::{self, Write};
use std::os::fd::AsFd;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;

use crate::stamp;

/// The most bytes of a request's head.
const MOST_HEAD: usize = 64 << 10;
/// The most bytes of a request's body.
const MOST_BODY: usize = 256 << 20;
/// The most bytes that are read at once where reads are stamped.
const MOST_STAMPED: usize = 64 << 10;

/// A connection with what has been read from it and not been used.
pub(super) struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
    /// Whether the kernel stamps what comes in.
    stamped: bool,
    /// When the last packet of what was read came in, by its stamp.
    arrived_ns: Option<i64>,
}

/// A request that has been read to its end.
pub(super) struct Request {
    /// `GET`, `POST`, ….
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// Whether the client closes the connection after the reply.
    pub closes: bool,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `X-Api-Key` header.
    pub api_key: Option<String>,
    /// Whether DashScope's header asks for a stream.
    pub dashscope_sse: bool,
    /// The `X-Request-ID` header.
    pub request_id: Option<String>,
    /// The `x-sim-fault` header.
    pub fault: Option<String>,
    /// When its last packet came in, in nanoseconds of the monotonic clock, where the kernel stamped it.
    pub arrived_ns: Option<i64>,
    message: Vec<u8>,
    body_at: usize,
}

impl Request {
    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.message[self.body_at..]
    }
}

/// Why no request could be read.
pub(super) enum ReadError {
    /// The client closed the connection, or it broke.
    Closed,
    /// The request is refused with this status and text, and the connection is closed.
    Refused(u16, &'static str),
}

impl From<io::Error> for ReadError {
    fn from(_: io::Error) -> ReadError {
        ReadError::Closed
    }
}

struct Head {
    request: Request,
    body_bytes: usize,
    continues: bool,
}

impl Connection {
    /// A connection that has just been accepted; `stamped` if its listener had asked for stamps.
    pub fn new(stream: TcpStream, stamped: bool) -> Connection {
        // Without it the kernel would gather small frames; a socket that refuses it still works.
        let _ = stream.set_nodelay(true);
        Connection { stream, unread: Vec::with_capacity(4096), stamped, arrived_ns: None }
    }

    /// The next request, once all of it has arrived.
    pub async fn read_request(&mut self) -> Result<Request, ReadError> {
        let head = loop {
            if !self.unread.is_empty()
                && let Some(head) = parse_head(&self.unread)?
            {
                break head;
            }
            if self.unread.len() > MOST_HEAD {
                return Err(ReadError::Refused(431, "the head of the request is larger than 64 KiB"));
            }
            self.fill(4096).await?;
        };
        let mut request = head.request;
        let end = request.body_at + head.body_bytes;
        if head.continues && self.unread.len() < end {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        while self.unread.len() < end {
            self.fill(end - self.unread.len()).await?;
        }
        let rest = self.unread.split_off(end);
        request.message = std::mem::replace(&mut self.unread, rest);
        request.arrived_ns = self.arrived_ns;
        Ok(request)
    }

    async fn fill(&mut self, room: usize) -> Result<(), ReadError> {
        self.unread.reserve(room);
        let bytes = if self.stamped {
            self.fill_stamped(room.min(MOST_STAMPED)).await?
        } else {
            self.stream.read_buf(&mut self.unread).await?
        };
        if bytes == 0 { Err(ReadError::Closed) } else { Ok(()) }
    }

    /// Reads up to `room` bytes, and notes when they came in; returns how many there were. It must run to
    /// its end: given up half-way, it leaves bytes that nobody sent.
    async fn fill_stamped(&mut self, room: usize) -> io::Result<usize> {
        let end = self.unread.len();
        self.unread.resize(end + room, 0);
        let (stream, unread) = (&self.stream, &mut self.unread[end..]);
        let read = stream.async_io(Interest::READABLE, || stamp::read(stream.as_fd(), unread)).await;
        self.unread.truncate(end + read.as_ref().map_or(0, |read| read.bytes));
        let read = read?;
        self.arrived_ns = read.lag_ns.map(|_| read.at_ns);
        Ok(read.bytes)
    }

    /// Writes all of `bytes`, with one system call if the socket has room.
    #[inline]
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Writes every byte with a system call of its own.
    pub async fn write_single_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        for byte in bytes {
            self.stream.write_all(std::slice::from_ref(byte)).await?;
            // Lets the reader see the byte before the next one comes.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Returns once the client has closed the connection. What it sends meanwhile stays unread.
    pub async fn closed(&self) {
        loop {
            match self.stream.peek(&mut [0]).await {
                Ok(0) | Err(_) => return,
                // It has sent its next request early and so is still there; nothing tells when it goes.
                Ok(_) => std::future::pending::<()>().await,
            }
        }
    }

    /// Makes the kernel send a reset instead of a clean end when the connection is dropped.
    pub fn reset_on_drop(&self) {
        // A socket that refuses closes cleanly; there is nothing else to do.
        let _ = self.stream.set_zero_linger();
    }

    /// Tells the client that nothing more comes, and takes what it still sends so that no reset
    /// destroys what was written.
    pub async fn close(mut self) {
        let _ = self.stream.shutdown().await;
        let drain = async { while matches!(self.stream.read(&mut [0; 4096]).await, Ok(1..)) {} };
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), drain).await;
    }
}

/// Parses the head of a request; `None` if it is not complete.
fn parse_head(bytes: &[u8]) -> Result<Option<Head>, ReadError> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut headers);
    let body_at = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(ReadError::Refused(400, "the request is not HTTP/1.1")),
    };
    if parsed.version != Some(1) {
        return Err(ReadError::Refused(505, "only HTTP/1.1 is spoken here"));
    }
    let target = parsed.path.unwrap_or_default();
    let mut head = Head {
        request: Request {
            method: parsed.method.unwrap_or_default().to_string(),
            path: target.split('?').next().unwrap_or_default().to_string(),
            closes: false,
            authorization: None,
            api_key: None,
            dashscope_sse: false,
            request_id: None,
            fault: None,
            arrived_ns: None,
            message: Vec::new(),
            body_at,
        },
        body_bytes: 0,
        continues: false,
    };
    for header in parsed.headers.iter() {
        let value = || String::from_utf8_lossy(header.value).trim().to_string();
        match header.name.to_ascii_lowercase().as_str() {
            "content-length" => match value().parse() {
                Ok(length) if length <= MOST_BODY => head.body_bytes = length,
                Ok(_) => return Err(ReadError::Refused(413, "the body is larger than 256 MiB")),
                Err(_) => return Err(ReadError::Refused(400, "the Content-Length is not a number")),
            },
            "transfer-encoding" => {
                return Err(ReadError::Refused(411, "send the body with a Content-Length"));
            }
            "connection" => head.request.closes = value().eq_ignore_ascii_case("close"),
            "expect" => head.continues = value().eq_ignore_ascii_case("100-continue"),
            "authorization" => head.request.authorization = Some(value()),
            "x-api-key" => head.request.api_key = Some(value()),
            "x-dashscope-sse" => head.request.dashscope_sse = value().eq_ignore_ascii_case("enable"),
            "x-request-id" => head.request.request_id = Some(value()),
            "x-sim-fault" => head.request.fault = Some(value()),
            _ => {}
        }
    }
    Ok(Some(head))
}

/// How the body of a reply is delimited.
#[derive(Debug, Clone, Copy)]
pub(super) enum BodyLength {
    /// By its length in bytes.
    Known(usize),
    /// Chunk by chunk.
    Chunked,
}

/// Appends the head of a reply. `extra` is further header lines, each with its line end.
pub(super) fn write_head(out: &mut Vec<u8>, status: u16, kind: &str, length: BodyLength, extra: &str) {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Other",
    };
    // Writing to a vector cannot fail.
    let _ = match length {
        BodyLength::Known(bytes) => write!(
            out,
            "HTTP/1.1 {status} {reason}\r\ncontent-type: {kind}\r\ncontent-length: {bytes}\r\n{extra}\r\n"
        ),
        BodyLength::Chunked => write!(
            out,
            "HTTP/1.1 {status} {reason}\r\ncontent-type: {kind}\r\ncache-control: no-cache\r\n\
             transfer-encoding: chunked\r\n{extra}\r\n"
        ),
    };
}

/// Appends one chunk of a chunked body.
#[inline]
pub(super) fn write_chunk(out: &mut Vec<u8>, payload: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let length = payload.len();
    let digits = (usize::BITS - length.leading_zeros()).div_ceil(4).max(1);
    out.reserve(length + 24);
    for digit in (0..digits).rev() {
        out.push(DIGITS[(length >> (digit * 4)) & 15]);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

/// What ends a chunked body.
pub(super) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_has_its_length_in_hexadecimal() {
        for length in [1, 15, 16, 255, 256, 4096, 70_000] {
            let mut out = Vec::new();
            write_chunk(&mut out, &vec![b'x'; length]);
            assert!(out.starts_with(format!("{length:x}\r\nx").as_bytes()), "{length}");
            assert!(out.ends_with(b"x\r\n"));
        }
    }

    #[test]
    fn a_head_is_read_when_it_is_complete() {
        let bytes = b"POST /generate?x=1 HTTP/1.1\r\nContent-Length: 2\r\nX-Request-Id: r7\r\nConnection: close\r\n\r\n{}";
        for cut in 1..bytes.len() - 3 {
            assert!(matches!(parse_head(&bytes[..cut]), Ok(None)), "{cut}");
        }
        let Ok(Some(head)) = parse_head(bytes) else { panic!("not read") };
        assert_eq!((head.request.path.as_str(), head.body_bytes), ("/generate", 2));
        assert_eq!(head.request.request_id.as_deref(), Some("r7"));
        assert!(head.request.closes);
        for bad in ["GET / HTTP/1.0\r\n\r\n", "\0\0\0", "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"] {
            assert!(matches!(parse_head(bad.as_bytes()), Err(ReadError::Refused(..))), "{bad:?}");
        }
    }
}
