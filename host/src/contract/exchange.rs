//! One exchange with a server: the request, what came back, and when.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use super::blocks::Blocks;
use super::outcome::Failure;
use crate::units::Nanos;

/// How a reply's bytes divide into frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events: a frame is an event's data.
    Sse,
    /// Newline-delimited JSON: a frame is a line.
    Ndjson,
    /// A frame is whatever one read from the socket returned.
    Raw,
    /// The reply is one frame.
    Whole,
}

/// A request, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// `POST`, mostly.
    pub method: String,
    /// The full URL.
    pub url: String,
    /// The API's own headers, among them the content type. The run's headers are added by the engine.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// How the reply is framed, if it succeeds.
    pub framing: Framing,
}

/// The end of one read from the socket: when it was, and how much of the body there was after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// When the read returned.
    pub at: Nanos,
    /// Bytes of the body so far.
    pub end: usize,
}

/// How an exchange ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The reply was read to its end.
    Complete,
    /// It was not, and why. Nothing may have been sent at all.
    Failed(Failure),
}

impl Ending {
    /// Why the reply was not read to its end, if it was not.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Ending::Complete => None,
            Ending::Failed(failure) => Some(failure),
        }
    }
}

/// What the transport saw: moments and bytes, nothing understood yet.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// When the request was handed to the socket; `None` if it never was.
    pub sent: Option<Nanos>,
    /// When the head of the reply had come.
    pub first_byte: Option<Nanos>,
    /// When the exchange ended, well or badly.
    pub completed: Nanos,
    /// The HTTP status, once there was one.
    pub status: Option<u16>,
    /// The reply's `Content-Type`.
    pub content_type: Option<String>,
    /// How long the server that refused the request asks to be left alone.
    pub retry_after: Option<Duration>,
    /// How the reply divides into frames: what the request said, or [`Framing::Whole`] where the
    /// server answered with something else.
    pub framing: Framing,
    /// The reply's body, decoded from its transfer coding.
    pub body: Blocks<u8>,
    /// The reads that the body came in.
    pub marks: Blocks<Mark>,
    /// Whether the request went over a connection that had been used before, where that is known.
    pub connection_reused: Option<bool>,
    /// Kept connections on which the server had hung up before the request went out on this one.
    pub stale_connections: u32,
    /// How much later than the kernel's own stamp each read returned that the kernel did stamp.
    pub stamp_lags_ns: Vec<u32>,
    /// How it ended.
    pub ending: Ending,
}

impl Timeline {
    /// A timeline of an exchange that ended before anything was sent.
    pub fn unsent(at: Nanos, failure: Failure) -> Timeline {
        Timeline {
            sent: None,
            first_byte: None,
            completed: at,
            status: None,
            content_type: None,
            retry_after: None,
            framing: Framing::Whole,
            body: Blocks::new(),
            marks: Blocks::new(),
            connection_reused: None,
            stale_connections: 0,
            stamp_lags_ns: Vec::new(),
            ending: Ending::Failed(failure),
        }
    }
}

/// One frame of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// When its last byte was read from the socket.
    pub at: Nanos,
    /// The SSE event name, where there is one.
    pub event: Option<String>,
    /// Its payload within [`Reply::payload`].
    pub range: Range<usize>,
}

/// A reply as a parser sees it: framed, with times that it can read and not write.
#[derive(Debug, Clone)]
pub struct Reply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The reply's `Content-Type`.
    pub content_type: Option<&'a str>,
    /// How it was framed.
    pub framing: Framing,
    /// Whether the reply was read to its end.
    pub complete: bool,
    /// When the request was sent.
    pub sent: Nanos,
    /// The payloads of all frames.
    pub payload: &'a [u8],
    /// The frames, in order.
    pub frames: &'a [Frame],
}

impl<'a> Reply<'a> {
    /// The payload of one frame.
    pub fn data(&self, frame: &Frame) -> &'a [u8] {
        &self.payload[frame.range.clone()]
    }
}
