//! A connected socket: what is written to it, and what is read from it and when.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::task::yield_now;

use super::super::spec::ReadClock;
use crate::clock::Clock;
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
            let on: libc::c_int = 1;
            // SAFETY: the descriptor is open, and the option is an int that outlives the call.
            unsafe {
                libc::setsockopt(
                    stream.as_raw_fd(),
                    libc::SOL_SOCKET,
                    libc::SO_TIMESTAMPNS,
                    (&raw const on).cast(),
                    size_of::<libc::c_int>() as libc::socklen_t,
                )
            };
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
                ReadClock::Kernel => read_stamped(stream, buffer, clock),
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

/// Room for the one control message that is expected, and for its alignment.
const CONTROL_BYTES: usize = 64;

/// Reads, and stamps with the moment at which the kernel had received the last packet of what was
/// read. That is a time of the wall clock; the time since then is taken from both clocks' present.
fn read_stamped(stream: &TcpStream, buffer: &mut [u8], clock: &Clock) -> io::Result<ReadAt> {
    #[repr(align(8))]
    struct Control([MaybeUninit<u8>; CONTROL_BYTES]);
    let mut control = Control([MaybeUninit::uninit(); CONTROL_BYTES]);
    let mut piece = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: a message header of zeros is a valid one.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut piece;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = CONTROL_BYTES;
    // SAFETY: the header points to the buffer and the control room, and both outlive the call.
    let bytes = unsafe { libc::recvmsg(stream.as_raw_fd(), &raw mut message, 0) };
    if bytes < 0 {
        return Err(io::Error::last_os_error());
    }
    let now = clock.now();
    let mut wall = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `wall` is a valid timespec for the call to fill.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut wall) };
    let bytes = bytes as usize;
    // SAFETY: the kernel has filled the header, which still points to the control room.
    let Some(stamp) = (unsafe { stamp_in(&message) }) else {
        return Ok(ReadAt { bytes, at: now, lag_ns: None });
    };
    let lag = (wall.tv_sec - stamp.tv_sec) * 1_000_000_000 + (wall.tv_nsec - stamp.tv_nsec);
    // A wall clock that was set in between makes nonsense of the stamp.
    match u32::try_from(lag) {
        Ok(lag) => Ok(ReadAt { bytes, at: now - Nanos(i64::from(lag)), lag_ns: Some(lag) }),
        Err(_) => Ok(ReadAt { bytes, at: now, lag_ns: None }),
    }
}

/// The kernel's stamp among the control messages.
///
/// # Safety
///
/// `message` was filled by `recvmsg`, and its control room is still there.
unsafe fn stamp_in(message: &libc::msghdr) -> Option<libc::timespec> {
    // SAFETY: the header is valid, as the caller says.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !control.is_null() {
        // SAFETY: it is not null, so it points to a control message within the room.
        let header = unsafe { &*control };
        if header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SCM_TIMESTAMPNS {
            // SAFETY: a message of this type holds a timespec; it need not be aligned.
            return Some(unsafe { libc::CMSG_DATA(control).cast::<libc::timespec>().read_unaligned() });
        }
        // SAFETY: both point into the same valid header.
        control = unsafe { libc::CMSG_NXTHDR(message, control) };
    }
    None
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
