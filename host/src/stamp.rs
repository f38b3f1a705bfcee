//! The kernel's own stamps of what came in over a socket (`SO_TIMESTAMPNS`): when a packet was there,
//! however late its reader was.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::clock::monotonic_ns;

/// What one read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamped {
    /// How many bytes; none means that the other side sends no more.
    pub bytes: usize,
    /// When they were there, in nanoseconds of the monotonic clock: by the kernel's stamp of the last
    /// packet of them or, where it made none, when the read returned.
    pub at_ns: i64,
    /// How much later than the kernel's stamp the read returned, in nanoseconds, 4 s at most; `None` without a
    /// stamp.
    pub lag_ns: Option<u32>,
}

/// Asks the kernel to stamp what comes in on `socket`. The connections that a listener accepts are stamped
/// as it is. The kernel begins a while after the first socket has asked; one that has no stamps gives none.
pub fn ask(socket: BorrowedFd<'_>) {
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is open, and the option is an int that outlives the call.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
}

/// The longest that anything waits in a socket, as far as stamps are believed: ten minutes.
const MOST_LAG_NS: i64 = 600_000_000_000;

/// Room for the one control message that is expected, and for its alignment.
const CONTROL_BYTES: usize = 64;

/// Reads once. The kernel's stamp is a time of the wall clock; how long ago that was is taken from the
/// present of both clocks.
///
/// # Errors
/// Those of `recvmsg`.
pub fn read(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Stamped> {
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
    let bytes = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0) };
    if bytes < 0 {
        return Err(io::Error::last_os_error());
    }
    let now_ns = monotonic_ns();
    let mut wall = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `wall` is a valid timespec for the call to fill.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut wall) };
    let bytes = bytes as usize;
    // SAFETY: the kernel has filled the header, which still points to the control room.
    let lag_ns = unsafe { stamp_in(&message) }
        .map(|stamp| (wall.tv_sec - stamp.tv_sec) * 1_000_000_000 + (wall.tv_nsec - stamp.tv_nsec))
        // A wall clock that was set in between makes nonsense of the stamp.
        .filter(|lag_ns| (0..MOST_LAG_NS).contains(lag_ns));
    Ok(Stamped {
        bytes,
        at_ns: now_ns - lag_ns.unwrap_or(0),
        lag_ns: lag_ns.map(|lag_ns| u32::try_from(lag_ns).unwrap_or(u32::MAX)),
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::time::Duration;

    #[test]
    fn what_waits_in_an_accepted_socket_is_stamped_with_its_coming() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        ask(listener.as_fd());
        let mut buffer = [0; 16];
        for tries in 0.. {
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let before_ns = monotonic_ns();
            client.write_all(b"hello").unwrap();
            let sent_ns = monotonic_ns();
            std::thread::sleep(Duration::from_millis(20));
            let (server, _) = listener.accept().unwrap();
            let read = read(server.as_fd(), &mut buffer).unwrap();
            let read_ns = monotonic_ns();
            assert_eq!((read.bytes, &buffer[..5]), (5, &b"hello"[..]));
            let Some(lag_ns) = read.lag_ns else {
                // The kernel begins to stamp a while after it was asked to; some never do.
                if tries < 100 {
                    continue;
                } else {
                    return;
                };
            };
            assert!(lag_ns > 15_000_000, "{lag_ns}");
            // Between the two, but for a clock that is set or read a moment apart from the other.
            let apart_ns = 5_000_000;
            assert!(before_ns - apart_ns < read.at_ns && read.at_ns < sent_ns + apart_ns);
            assert!(read.at_ns + i64::from(lag_ns) <= read_ns);
            drop(client);
            assert_eq!(super::read(server.as_fd(), &mut buffer).unwrap().bytes, 0);
            return;
        }
    }
}
