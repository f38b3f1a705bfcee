//! A connected socket: what is written to it, and what is read from it and when.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::pin::pin;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::task::yield_now;

use super::super::spec::ReadClock;
use crate::clock::Clock;
use crate::stamp;
use crate::units::Nanos;

/// A non-blocking connection, watched by the event loop of the thread that made it.
#[derive(Debug)]
pub(super) struct Socket {
    stream: AsyncFd<TcpStream>,
    stamps: ReadClock,
}

/// What one read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReadAt {
    /// How many bytes; none means that the server sends no more.
    pub(super) bytes: usize,
    /// When they had come.
    pub(super) at: Nanos,
    /// How much later than the kernel's stamp the read returned, where the kernel stamps.
    pub(super) lag_ns: Option<u32>,
}

impl Socket {
    /// Takes over a connection. Kernel stamps are switched on where they are asked for; a kernel that
    /// has none gives none.
    pub(super) fn new(stream: TcpStream, stamps: ReadClock) -> io::Result<Socket> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        if stamps == ReadClock::Kernel {
            stamp::ask(stream.as_fd());
        }
        // SAFETY: the stream owns its descriptor, so it stays open for as long as it is registered.
        let stream = unsafe { AsyncFd::register(stream) }?;
        Ok(Socket { stream, stamps })
    }

    /// Whether the server has ended the connection, or said something that nobody asked for.
    pub(super) fn is_spent(&self) -> bool {
        let mut byte = [0_u8];
        let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        // SAFETY: the buffer is valid for the one byte that may be copied into it.
        let peeked =
            unsafe { libc::recv(self.stream.get_ref().as_raw_fd(), byte.as_mut_ptr().cast(), 1, flags) };
        peeked >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::WouldBlock
    }

    /// Reads what there is, and stamps it.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        clock: &Clock,
    ) -> Poll<io::Result<ReadAt>> {
        loop {
            let mut ready = ready!(self.stream.poll_read_ready(cx))?;
            let stream = ready.get_inner();
            let read = match self.stamps {
                ReadClock::Read => {
                    (&mut &*stream).read(buffer).map(|bytes| ReadAt { bytes, at: clock.now(), lag_ns: None })
                }
                ReadClock::Kernel => stamp::read(stream.as_fd(), buffer).map(|read| ReadAt {
                    bytes: read.bytes,
                    at: clock.at(read.at_ns),
                    lag_ns: read.lag_ns,
                }),
            };
            match read {
                Ok(read) => {
                    // A read that did not fill the buffer has emptied the socket, and the event loop
                    // tells of what comes after it. The end of the stream stays ready.
                    if 0 < read.bytes && read.bytes < buffer.len() {
                        ready.clear_ready();
                    }
                    return Poll::Ready(Ok(read));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            match self.stream.get_ref().write_vectored(pieces) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.stream.poll_write_ready(cx))?.clear_ready();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

/// The most of a body that is written before other tasks have their turn, in bytes.
pub(super) const MOST_AT_ONCE: usize = 16 << 10;

/// How far a request has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is nothing more to write, or no way to.
    Over,
    /// It goes on when the others have had their turn.
    Resting,
    /// The socket takes no more for now.
    Full,
}

/// A request on its way out.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    head: &'a [u8],
    body: &'a [u8],
    broken: Option<io::Error>,
}

impl<'a> Outgoing<'a> {
    pub(super) fn new(head: &'a [u8], body: &'a [u8]) -> Outgoing<'a> {
        Outgoing { head, body, broken: None }
    }

    /// Whether all of it has been handed to the socket.
    pub(super) fn is_done(&self) -> bool {
        self.head.is_empty() && self.body.is_empty() && self.broken.is_none()
    }

    /// What the socket said when it took no more.
    pub(super) fn broken(&self) -> Option<&io::Error> {
        self.broken.as_ref()
    }

    /// Writes what the socket takes, within bounds. Unless that is the end of it, the task is woken when
    /// it can go on.
    pub(super) fn write(&mut self, socket: &Socket, cx: &mut Context<'_>) -> Progress {
        let mut allowed = MOST_AT_ONCE;
        while self.broken.is_none() && !(self.head.is_empty() && self.body.is_empty()) {
            if allowed == 0 {
                // Polled once, it wakes the task after the event loop has looked at all sockets.
                let _ = pin!(yield_now()).poll(cx);
                return Progress::Resting;
            }
            let body = &self.body[..self.body.len().min(allowed)];
            match socket.poll_write(cx, &[IoSlice::new(self.head), IoSlice::new(body)]) {
                Poll::Ready(Ok(written)) => {
                    let of_head = written.min(self.head.len());
                    self.head = &self.head[of_head..];
                    self.body = &self.body[written - of_head..];
                    allowed = allowed.saturating_sub(written);
                }
                Poll::Ready(Err(error)) => self.broken = Some(error),
                Poll::Pending => return Progress::Full,
            }
        }
        Progress::Over
    }
}
