//! The one monotonic clock of a run, and a wait that is finer than a millisecond.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use chrono::{DateTime, Local};
use tokio::io::unix::AsyncFd;

use crate::units::Nanos;

/// Nanoseconds of the system's monotonic clock (`CLOCK_MONOTONIC`), which every process on the
/// machine shares. The simulator writes its ground truth in these.
pub fn monotonic_ns() -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid timespec for the call to fill.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// CPU time by one of the system's clocks of it: a thread's, or the whole process's.
pub fn cpu_time(id: libc::clockid_t) -> Nanos {
    let mut used = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `used` is a valid timespec for the call to fill.
    unsafe { libc::clock_gettime(id, &mut used) };
    Nanos(used.tv_sec * 1_000_000_000 + used.tv_nsec)
}

/// A clock whose zero is the start of the run. Copies agree with each other.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin_ns: i64,
    started_at: DateTime<Local>,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Clock {
        Clock { origin_ns: monotonic_ns(), started_at: Local::now() }
    }

    /// Time since the start of the run.
    #[inline]
    pub fn now(&self) -> Nanos {
        self.at(monotonic_ns())
    }

    /// Time from the start of the run to a moment of the system's monotonic clock.
    #[inline]
    pub fn at(&self, monotonic_ns: i64) -> Nanos {
        Nanos(monotonic_ns - self.origin_ns)
    }

    /// The start of the run on the system's monotonic clock, in nanoseconds.
    pub fn origin_ns(&self) -> i64 {
        self.origin_ns
    }

    /// The start of the run on the wall clock: read once, never used for a measurement.
    pub fn started_at(&self) -> DateTime<Local> {
        self.started_at
    }
}

/// A wait with the resolution of the kernel's high-resolution timers, where the runtime's own
/// timer only has milliseconds. It must be made inside a tokio runtime with I/O enabled.
#[derive(Debug)]
pub struct PreciseTimer {
    clock: Clock,
    fd: AsyncFd<OwnedFd>,
}

impl PreciseTimer {
    /// A timer on `clock`. Fails if the kernel has no more timer descriptors to give.
    pub fn new(clock: Clock) -> io::Result<PreciseTimer> {
        // SAFETY: a plain system call; its result is checked before it is owned.
        let fd =
            unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` was just returned to us and nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: the descriptor is owned, so it stays open for as long as it is registered.
        let fd = unsafe { AsyncFd::register(fd) }?;
        Ok(PreciseTimer { clock, fd })
    }

    /// Returns once the clock has reached `due`; at once if it already has.
    pub async fn wait_until(&mut self, due: Nanos) -> io::Result<()> {
        while self.clock.now() < due {
            self.arm(self.clock.origin_ns + due.0)?;
            let mut guard = self.fd.readable().await?;
            let mut expirations = [0_u8; 8];
            // SAFETY: the buffer is the eight bytes that a timer descriptor hands out.
            let read = unsafe {
                libc::read(self.fd.as_raw_fd(), expirations.as_mut_ptr().cast(), expirations.len())
            };
            if read < 0 {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::WouldBlock {
                    return Err(error);
                }
            }
            guard.clear_ready();
        }
        Ok(())
    }

    fn arm(&self, at_ns: i64) -> io::Result<()> {
        let value = libc::timespec { tv_sec: at_ns / 1_000_000_000, tv_nsec: at_ns % 1_000_000_000 };
        let never = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let spec = libc::itimerspec { it_interval: never, it_value: value };
        // SAFETY: `spec` outlives the call, and the descriptor is ours.
        let done = unsafe {
            libc::timerfd_settime(self.fd.as_raw_fd(), libc::TFD_TIMER_ABSTIME, &spec, std::ptr::null_mut())
        };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_precise_timer_never_returns_before_its_time() {
        let clock = Clock::start();
        let mut timer = PreciseTimer::new(clock).unwrap();
        for step_us in [100, 700, 1300] {
            let due = clock.now() + Nanos(step_us * 1000);
            timer.wait_until(due).await.unwrap();
            assert!(clock.now() >= due);
        }
    }

    #[tokio::test]
    async fn a_time_in_the_past_is_not_waited_for() {
        let clock = Clock::start();
        let mut timer = PreciseTimer::new(clock).unwrap();
        timer.wait_until(Nanos(-1)).await.unwrap();
    }
}
