//! Waits of sub-millisecond resolution for any number of streams on one thread, with one timer.

use std::cell::{Cell, RefCell};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Clock, PreciseTimer, monotonic_ns};
use crate::units::Nanos;

/// The due times of one thread. Copies share them.
#[derive(Clone)]
pub(super) struct Pacer(Rc<Shared>);

struct Shared {
    clock: Clock,
    sleepers: RefCell<BinaryHeap<Reverse<Sleeper>>>,
    /// What the timer is set to, in nanoseconds of the monotonic clock.
    armed_ns: Cell<i64>,
    sooner: Notify,
}

struct Sleeper {
    due_ns: i64,
    waker: Waker,
}

impl PartialEq for Sleeper {
    fn eq(&self, other: &Sleeper) -> bool {
        self.due_ns == other.due_ns
    }
}

impl Eq for Sleeper {}

impl PartialOrd for Sleeper {
    fn partial_cmp(&self, other: &Sleeper) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sleeper {
    fn cmp(&self, other: &Sleeper) -> Ordering {
        self.due_ns.cmp(&other.due_ns)
    }
}

impl Pacer {
    /// A pacer whose waits end only while [`Pacer::drive`] runs on the same thread.
    pub fn new() -> Pacer {
        Pacer(Rc::new(Shared {
            clock: Clock::start(),
            sleepers: RefCell::default(),
            armed_ns: Cell::new(i64::MAX),
            sooner: Notify::new(),
        }))
    }

    /// The timer that [`Pacer::drive`] needs. Fails if the kernel has none to give.
    pub fn timer(&self) -> std::io::Result<PreciseTimer> {
        PreciseTimer::new(self.0.clock)
    }

    /// A wait until the monotonic clock reads `due_ns`. It never ends early.
    pub fn until(&self, due_ns: i64) -> Until<'_> {
        Until { pacer: &self.0, due_ns, registered: false }
    }

    /// Wakes the sleepers as they fall due; runs for ever.
    pub async fn drive(self, mut timer: PreciseTimer) {
        loop {
            match self.0.wake_due() {
                None => self.0.sooner.notified().await,
                Some(due_ns) => {
                    let due = Nanos(due_ns - self.0.clock.origin_ns());
                    tokio::select! {
                        waited = timer.wait_until(due) => if waited.is_err() {
                            // A timer that fails costs resolution, not the run.
                            tokio::time::sleep(Duration::from_millis(1)).await;
                        },
                        () = self.0.sooner.notified() => {}
                    }
                }
            }
        }
    }
}

impl Shared {
    /// Wakes everything that is due and returns the next due time.
    fn wake_due(&self) -> Option<i64> {
        let now_ns = monotonic_ns();
        let mut sleepers = self.sleepers.borrow_mut();
        while let Some(Reverse(next)) = sleepers.peek() {
            if next.due_ns > now_ns {
                self.armed_ns.set(next.due_ns);
                return Some(next.due_ns);
            }
            if let Some(Reverse(sleeper)) = sleepers.pop() {
                sleeper.waker.wake();
            }
        }
        self.armed_ns.set(i64::MAX);
        None
    }
}

/// The future of [`Pacer::until`].
pub(super) struct Until<'a> {
    pacer: &'a Shared,
    due_ns: i64,
    registered: bool,
}

impl Future for Until<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if monotonic_ns() >= self.due_ns {
            return Poll::Ready(());
        }
        // A connection's task keeps its waker for life, so one registration is enough.
        if !self.registered {
            self.registered = true;
            let sleeper = Sleeper { due_ns: self.due_ns, waker: context.waker().clone() };
            self.pacer.sleepers.borrow_mut().push(Reverse(sleeper));
            if self.due_ns < self.pacer.armed_ns.get() {
                self.pacer.sooner.notify_one();
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_sleepers_share_the_timer_and_none_wakes_early() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async {
            let pacer = Pacer::new();
            let timer = pacer.timer().unwrap();
            tokio::task::spawn_local(pacer.clone().drive(timer));
            let start = monotonic_ns();
            let tasks: Vec<_> = (0..200_i64)
                .map(|i| {
                    let pacer = pacer.clone();
                    tokio::task::spawn_local(async move {
                        // Later sleepers are due sooner, so the timer is set back again and again.
                        for step in 1..4 {
                            let due = start + (200 - i) * 50_000 + step * 1_000_000;
                            pacer.until(due).await;
                            assert!(monotonic_ns() >= due);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    }
}
