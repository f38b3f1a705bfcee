//! HTTP/1.1 over a plain socket, as lean as a stamp can wish: one task reads its own socket, and
//! between the read and its stamp there is nothing. A connection owns no buffers; a read goes into
//! one that all connections of a worker share, and from there into the reply's own bytes.

mod connect;
mod decode;
#[cfg(fuzzing)]
pub mod fuzzed;
mod head;
mod origin;
mod socket;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::{Mutex, MutexGuard};

use self::decode::{Decoder, Malformed};
use self::head::{Wins, head};
use self::origin::{Origins, Target};
use self::socket::{MOST_AT_ONCE, Outgoing, Progress, ReadAt, Socket};
use super::spec::{HttpSpec, ReadClock, TransportError};
use super::watch::Watch;
use super::{effective_framing, failure, retry_after, too_large};
use crate::clock::Clock;
use crate::contract::{AbortSignal, Ending, Failure, FailureKind, HttpRequest, Mark, Timeline};

/// What one read can bring.
const READ_BYTES: usize = 64 << 10;

/// Connections of its own, and what every request over them has in common.
#[derive(Debug)]
pub(super) struct Direct {
    clock: Clock,
    stamps: ReadClock,
    headers: Wins,
    connect_timeout: Option<Duration>,
    read_timeout: Option<Duration>,
    total_timeout: Option<Duration>,
    max_reply_bytes: usize,
    origins: Origins,
    /// Whoever writes a long request has it, until the socket takes no more at once. Written in turns with
    /// others, each would take as long as all of them together, and its server would begin that much later.
    lane: Mutex<()>,
    /// What was read last. Nobody else runs between a read and the use of what it brought.
    buffer: RefCell<Box<[u8]>>,
}

/// How a request and its reply went over one connection.
enum Went {
    /// To an end that the timeline tells; whether the connection can carry another request.
    Through { reusable: bool },
    /// The server had given up the connection, which had been kept from an earlier request, before
    /// a byte of the reply had come: it has not seen this request.
    Stale,
}

/// What the next thing was that happened on a connection.
enum Step {
    Read(io::Result<ReadAt>),
    Ended(Failure),
}

impl Direct {
    /// Connections as `spec` describes them, stamping with `clock`.
    pub(super) fn new(spec: &HttpSpec, clock: Clock) -> Result<Direct, TransportError> {
        Ok(Direct {
            clock,
            stamps: spec.clock,
            headers: Wins::new(&spec.headers)?,
            connect_timeout: spec.connect_timeout,
            read_timeout: spec.read_timeout,
            total_timeout: spec.total_timeout,
            max_reply_bytes: spec.max_reply_bytes,
            origins: Origins::default(),
            lane: Mutex::new(()),
            buffer: RefCell::new(vec![0; READ_BYTES].into()),
        })
    }

    /// One request and its reply; everything that went wrong is in the timeline.
    pub(super) async fn run(&self, request: &HttpRequest, abort: AbortSignal) -> Timeline {
        let handed = self.clock.now();
        let mut timeline = Timeline::unsent(handed, Failure::new(FailureKind::Interrupted, ""));
        let (target, head) = match self.encode(request) {
            Ok(encoded) => encoded,
            Err(failure) => return Timeline::unsent(handed, failure),
        };
        let mut watch = Watch::new(abort, self.total_timeout, self.read_timeout);
        loop {
            let kept = target.origin.take(handed);
            let reused = kept.is_some();
            let mut socket = match kept {
                Some(socket) => socket,
                None => match self.connect(&target, &mut watch).await {
                    Ok(socket) => socket,
                    Err(failure) => {
                        timeline.completed = self.clock.now();
                        timeline.ending = Ending::Failed(failure);
                        return timeline;
                    }
                },
            };
            match self.converse(&mut socket, request, &head, reused, &mut watch, &mut timeline).await {
                Went::Stale => timeline.stale_connections += 1,
                Went::Through { reusable } => {
                    if reusable {
                        target.origin.keep(socket, timeline.completed);
                    }
                    return timeline;
                }
            }
        }
    }

    fn encode(&self, request: &HttpRequest) -> Result<(Target, Vec<u8>), Failure> {
        let target = self.origins.target(&request.url)?;
        let head = head(request, &target, &self.headers)?;
        Ok((target, head))
    }

    async fn connect(&self, target: &Target, watch: &mut Watch) -> Result<Socket, Failure> {
        let limit = self.connect_timeout.unwrap_or(Duration::MAX);
        let timed = tokio::time::timeout(limit, connect::open(&target.origin));
        let mut timed = std::pin::pin!(timed);
        let opened = poll_fn(|cx| match timed.as_mut().poll(cx) {
            Poll::Ready(opened) => Poll::Ready(Ok(opened)),
            Poll::Pending => watch.poll_failure(cx).map(Err),
        })
        .await?;
        let stream = match opened {
            Ok(opened) => opened.map_err(|error| failure::of_connect(&error))?,
            Err(_elapsed) => return Err(failure::connect_timeout()),
        };
        Socket::new(stream, self.stamps).map_err(|error| failure::of_connect(&error))
    }

    /// Returns once no other long request is being written.
    async fn enter_lane(&self, watch: &mut Watch) -> Result<MutexGuard<'_, ()>, Failure> {
        let mut enter = std::pin::pin!(self.lane.lock());
        poll_fn(|cx| match enter.as_mut().poll(cx) {
            Poll::Ready(entered) => Poll::Ready(Ok(entered)),
            Poll::Pending => watch.poll_failure(cx).map(Err),
        })
        .await
    }

    /// Writes the request, and reads until the reply is over or something ends it.
    async fn converse(
        &self,
        socket: &mut Socket,
        request: &HttpRequest,
        head: &[u8],
        reused: bool,
        watch: &mut Watch,
        timeline: &mut Timeline,
    ) -> Went {
        let mut outgoing = Outgoing::new(head, &request.body);
        let mut decoder = Decoder::new(request.method == "HEAD");
        let failed = |timeline: &mut Timeline, at, failure| {
            timeline.completed = at;
            timeline.ending = Ending::Failed(failure);
            Went::Through { reusable: false }
        };
        let mut lane = None;
        if request.body.len() > MOST_AT_ONCE {
            match self.enter_lane(watch).await {
                Ok(entered) => lane = Some(entered),
                Err(failure) => return failed(timeline, self.clock.now(), failure),
            }
        }
        timeline.sent = Some(self.clock.now());
        loop {
            let step = poll_fn(|cx| {
                // A server may answer, and close, before it has read all of the request. What it
                // said then is in the read, and so is why it said no more.
                if outgoing.write(socket, cx) != Progress::Resting {
                    lane = None;
                }
                match socket.poll_read(cx, &mut self.buffer.borrow_mut(), &self.clock) {
                    Poll::Ready(read) => Poll::Ready(Step::Read(read)),
                    Poll::Pending => watch.poll_failure(cx).map(Step::Ended),
                }
            })
            .await;
            let read = match step {
                Step::Read(Ok(read)) => read,
                Step::Read(Err(_)) if reused && !decoder.begun() => return Went::Stale,
                Step::Read(Err(error)) => {
                    let failure = failure::of_broken(Some(&error), decoder.head().is_some());
                    return failed(timeline, self.clock.now(), failure);
                }
                Step::Ended(failure) => return failed(timeline, self.clock.now(), failure),
            };
            if read.bytes == 0 {
                if reused && !decoder.begun() {
                    return Went::Stale;
                }
                if decoder.ends_at_close() {
                    timeline.completed = read.at;
                    timeline.ending = Ending::Complete;
                    return Went::Through { reusable: false };
                }
                let error = outgoing.broken();
                return failed(timeline, read.at, failure::of_broken(error, decoder.head().is_some()));
            }
            watch.note_read();
            let had_head = decoder.head().is_some();
            let had_body = timeline.body.len();
            let buffer = self.buffer.borrow();
            let taken = decoder.push(&buffer[..read.bytes], &mut timeline.body);
            if !had_head && let Some(head) = decoder.head() {
                timeline.first_byte = Some(read.at);
                timeline.status = Some(head.status);
                timeline.content_type = head.content_type.clone();
                timeline.retry_after =
                    head.retry_after.as_deref().and_then(|asked| retry_after::parse(asked, Utc::now()));
                timeline.framing =
                    effective_framing(request.framing, timeline.status, head.content_type.as_deref());
                timeline.connection_reused = Some(reused);
            }
            if timeline.body.len() > had_body {
                timeline.marks.push(Mark { at: read.at, end: timeline.body.len() });
                timeline.stamp_lags_ns.extend(read.lag_ns);
            }
            match taken {
                Err(Malformed(what)) => return failed(timeline, read.at, failure::invalid_reply(&what)),
                Ok(taken) if decoder.is_done() => {
                    timeline.completed = read.at;
                    timeline.ending = Ending::Complete;
                    // More than was asked for is not the beginning of the next reply.
                    let reusable = decoder.keeps_alive() && taken == read.bytes && outgoing.is_done();
                    return Went::Through { reusable };
                }
                Ok(_) if timeline.body.len() > self.max_reply_bytes => {
                    return failed(timeline, read.at, too_large(self.max_reply_bytes));
                }
                Ok(_) => {}
            }
        }
    }
}
