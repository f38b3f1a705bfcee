//! Everything that can end an exchange from outside: the user, and three limits of time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::contract::{AbortSignal, Failure, FailureKind};

/// It is polled only when there is nothing to read, and its timers are moved only when they fire.
pub(super) struct Watch {
    signal: AbortSignal,
    aborted: Pin<Box<dyn Future<Output = ()>>>,
    /// Whom the signal wakes; while that is the same task there is no need to tell it again.
    wakes: Option<Waker>,
    total: Option<Pin<Box<Sleep>>>,
    read: Option<(Duration, Pin<Box<Sleep>>)>,
    last_read: Instant,
}

impl Watch {
    pub(super) fn new(abort: AbortSignal, total: Option<Duration>, read: Option<Duration>) -> Watch {
        let mut waits = abort.clone();
        let aborted = async move {
            // An error says that nobody is left who could abort.
            if waits.wait_for(|&abort| abort).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        Watch {
            signal: abort,
            aborted: Box::pin(aborted),
            wakes: None,
            total: total.map(|limit| Box::pin(tokio::time::sleep(limit))),
            read: read.map(|limit| (limit, Box::pin(tokio::time::sleep(limit)))),
            last_read: Instant::now(),
        }
    }

    /// Says that something has been read.
    pub(super) fn note_read(&mut self) {
        if self.read.is_some() {
            self.last_read = Instant::now();
        }
    }

    /// Ready with why the exchange must end; pending, and the task is woken when that comes.
    pub(super) fn poll_failure(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        let failed = |kind, message: &str| Poll::Ready(Failure::new(kind, message));
        if self.poll_aborted(cx) {
            return failed(FailureKind::Interrupted, "the run was stopped before the reply was complete");
        }
        if let Some(total) = &mut self.total
            && total.as_mut().poll(cx).is_ready()
        {
            return failed(FailureKind::TotalTimeout, "not finished within --total-timeout");
        }
        if let Some((limit, sleep)) = &mut self.read {
            while sleep.as_mut().poll(cx).is_ready() {
                let due = self.last_read + *limit;
                if Instant::now() >= due {
                    return failed(FailureKind::ReadTimeout, "nothing to read for --read-timeout");
                }
                sleep.as_mut().reset(due);
            }
        }
        Poll::Pending
    }

    fn poll_aborted(&mut self, cx: &mut Context<'_>) -> bool {
        let told = self.wakes.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if told && !self.signal.has_changed().unwrap_or(false) {
            return false;
        }
        self.wakes = Some(cx.waker().clone());
        self.aborted.as_mut().poll(cx).is_ready()
    }
}
