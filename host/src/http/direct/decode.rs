//! Bytes of a connection → the head and the body of one reply (RFC 9112). It knows no sockets, takes
//! the bytes in whatever pieces they come, and holds no more of them than the head.

use std::mem::MaybeUninit;

use httparse::ParserConfig;

use crate::contract::Blocks;

/// What makes bytes no reply: one clause, for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) String);

fn malformed<T>(what: &str) -> Result<T, Malformed> {
    Err(Malformed(what.to_string()))
}

/// What is needed of a reply's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    pub(super) retry_after: Option<String>,
    /// Whether the connection may carry another request.
    keep_alive: bool,
}

/// The largest head that is read, in bytes.
const MOST_HEAD: usize = 256 << 10;
/// The most headers of a reply.
const MOST_HEADERS: usize = 128;
/// The longest line that says the length of a chunk, or is a trailer, in bytes.
const MOST_LINE: usize = 16 << 10;

/// Where in the reply the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    /// In a body of known length; bytes that are left of it.
    Length(u64),
    /// In a body that ends with the connection.
    UntilClose,
    Chunk(Chunk),
    Done,
}

/// Where in the chunked coding the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunk {
    /// In the digits of a length: the value so far, how many digits it has.
    Size(u64, u8),
    /// Behind the digits, before the end of the line: how much there was of it.
    Extension(u64, usize),
    /// In the data; bytes that are left.
    Data(u64),
    /// Between the data and the end of its line; whether the carriage return has come.
    AfterData(bool),
    /// In a line of the trailer section: how much of it there was.
    Trailer(usize),
}

/// Reads one reply.
#[derive(Debug)]
pub(super) struct Decoder {
    state: State,
    /// Of the head, what has come.
    raw: Vec<u8>,
    head: Option<Head>,
    /// Whether the request was one whose reply has no body.
    bodiless: bool,
}

impl Decoder {
    /// A decoder for the reply to a request, which may be a `HEAD`.
    pub(super) fn new(to_head: bool) -> Decoder {
        Decoder { state: State::Head, raw: Vec::new(), head: None, bodiless: to_head }
    }

    /// Takes bytes, appends those of the body to `body`, and returns how many belonged to the reply:
    /// all, unless it is over.
    pub(super) fn push(&mut self, bytes: &[u8], body: &mut Blocks<u8>) -> Result<usize, Malformed> {
        let mut at = 0;
        while at < bytes.len() && self.state != State::Done {
            let rest = &bytes[at..];
            at += match self.state {
                State::Head => self.push_head(rest)?,
                State::Length(left) => {
                    let taken = take(rest, left, body);
                    let left = left - taken as u64;
                    self.state = if left == 0 { State::Done } else { State::Length(left) };
                    taken
                }
                State::UntilClose => {
                    body.extend_from_slice(rest);
                    rest.len()
                }
                State::Chunk(Chunk::Data(left)) => {
                    let taken = take(rest, left, body);
                    let left = left - taken as u64;
                    let next = if left == 0 { Chunk::AfterData(false) } else { Chunk::Data(left) };
                    self.state = State::Chunk(next);
                    taken
                }
                State::Chunk(chunk) => {
                    self.state = after(chunk, rest[0])?;
                    1
                }
                State::Done => 0,
            };
        }
        Ok(at)
    }

    /// The head, once all of it has come.
    pub(super) fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// Whether anything of the reply has come.
    pub(super) fn begun(&self) -> bool {
        self.head.is_some() || !self.raw.is_empty()
    }

    /// Whether the reply is over.
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the reply is over if the connection is.
    pub(super) fn ends_at_close(&self) -> bool {
        matches!(self.state, State::UntilClose | State::Done)
    }

    /// Whether the server keeps the connection for another request.
    pub(super) fn keeps_alive(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.keep_alive) && self.state == State::Done
    }

    /// Takes bytes of the head and returns how many of them belonged to it.
    fn push_head(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let before = self.raw.len();
        // A head that comes in one piece, as most do, is read where it lies.
        if before > 0 {
            self.raw.extend_from_slice(bytes);
        }
        let raw = if before > 0 { &self.raw[..] } else { bytes };
        let mut room = [const { MaybeUninit::uninit() }; MOST_HEADERS];
        let mut parsed = httparse::Response::new(&mut []);
        // A head ends with a line, so where none ends there is nothing new to see. Nor is a line judged
        // before its end is there, so that it is the same in whatever pieces it comes.
        let read = match memchr::memrchr(b'\n', bytes) {
            Some(end) => {
                let lines = &raw[..before + end + 1];
                ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, lines, &mut room)
            }
            None => Ok(httparse::Status::Partial),
        };
        match read {
            Ok(httparse::Status::Complete(length)) => {
                let (head, state) = understand(&parsed, self.bodiless)?;
                self.raw.clear();
                // The head of an interim reply (100, 103) is followed by another.
                if let Some(head) = head {
                    self.head = Some(head);
                    self.state = state;
                }
                Ok(length - before)
            }
            Ok(httparse::Status::Partial) if raw.len() > MOST_HEAD => {
                malformed("its head is larger than 256 KiB")
            }
            Ok(httparse::Status::Partial) => {
                if before == 0 {
                    self.raw.extend_from_slice(bytes);
                }
                Ok(bytes.len())
            }
            Err(error) => malformed(&error.to_string()),
        }
    }
}

/// Appends at most `left` of `bytes` to `body` and returns how many those were.
fn take(bytes: &[u8], left: u64, body: &mut Blocks<u8>) -> usize {
    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    body.extend_from_slice(&bytes[..taken]);
    taken
}

/// What a parsed head means; no head if it is an interim one.
fn understand(
    parsed: &httparse::Response<'_, '_>,
    bodiless: bool,
) -> Result<(Option<Head>, State), Malformed> {
    let status = parsed.code.unwrap_or_default();
    if status == 101 {
        return malformed("it switches to another protocol");
    }
    if (100..200).contains(&status) {
        return Ok((None, State::Head));
    }
    let mut head =
        Head { status, content_type: None, retry_after: None, keep_alive: parsed.version == Some(1) };
    let (mut chunked, mut length) = (false, None);
    for header in parsed.headers.iter() {
        let text = || String::from_utf8_lossy(header.value);
        if header.name.eq_ignore_ascii_case("content-type") {
            head.content_type = Some(text().into_owned());
        } else if status >= 400 && header.name.eq_ignore_ascii_case("retry-after") {
            head.retry_after.get_or_insert_with(|| text().into_owned());
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            // Only the last coding says where the body ends.
            chunked =
                text().rsplit(',').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("chunked"));
        } else if header.name.eq_ignore_ascii_case("content-length") {
            for value in text().split(',') {
                let Ok(value) = value.trim().parse::<u64>() else {
                    return malformed("its Content-Length is not a number");
                };
                if length.is_some_and(|known| known != value) {
                    return malformed("it has two lengths");
                }
                length = Some(value);
            }
        } else if header.name.eq_ignore_ascii_case("connection") {
            for option in text().split(',') {
                match option.trim() {
                    option if option.eq_ignore_ascii_case("close") => head.keep_alive = false,
                    option if option.eq_ignore_ascii_case("keep-alive") => head.keep_alive = true,
                    _ => {}
                }
            }
        }
    }
    let state = if bodiless || status == 204 || status == 304 {
        State::Done
    } else if chunked {
        State::Chunk(Chunk::Size(0, 0))
    } else {
        match length {
            Some(0) => State::Done,
            Some(length) => State::Length(length),
            None => State::UntilClose,
        }
    };
    Ok((Some(head), state))
}

/// Where the chunked coding is after one more byte that is not data.
fn after(chunk: Chunk, byte: u8) -> Result<State, Malformed> {
    let next = match (chunk, byte) {
        (Chunk::Size(size, digits), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
            if digits == 16 {
                return malformed("the length of a chunk is too large");
            }
            let digit = char::from(byte).to_digit(16).unwrap_or_default();
            Chunk::Size(size << 4 | u64::from(digit), digits + 1)
        }
        (Chunk::Size(_, 0), _) => return malformed("the length of a chunk is not a hexadecimal number"),
        (Chunk::Size(size, _) | Chunk::Extension(size, _), b'\n') => {
            if size == 0 {
                Chunk::Trailer(0)
            } else {
                Chunk::Data(size)
            }
        }
        (Chunk::Size(size, _), b'\r' | b';' | b' ' | b'\t') => Chunk::Extension(size, 0),
        (Chunk::Size(..), _) => return malformed("the length of a chunk is not a hexadecimal number"),
        (Chunk::Extension(_, MOST_LINE) | Chunk::Trailer(MOST_LINE), _) => {
            return malformed("a line of its chunked coding is too long");
        }
        (Chunk::Extension(size, length), _) => Chunk::Extension(size, length + 1),
        (Chunk::AfterData(false), b'\r') => Chunk::AfterData(true),
        (Chunk::AfterData(_), b'\n') => Chunk::Size(0, 0),
        (Chunk::AfterData(_), _) => return malformed("a chunk is longer than it says"),
        (Chunk::Trailer(0), b'\n') => return Ok(State::Done),
        (Chunk::Trailer(_), b'\n') => Chunk::Trailer(0),
        (Chunk::Trailer(length), b'\r') => Chunk::Trailer(length),
        (Chunk::Trailer(length), _) => Chunk::Trailer(length + 1),
        (Chunk::Data(left), _) => Chunk::Data(left),
    };
    Ok(State::Chunk(next))
}

#[cfg(test)]
mod tests;
