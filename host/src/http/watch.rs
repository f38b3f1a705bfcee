//! Everything that can end an exchange from outside: the user, and three limits of time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::contract::{AbortSignal, Failure, FailureKind};

/// It is polled only when there is nothing to read, and its one timer is moved only when it fires.
pub(super) struct Watch {
    signal: AbortSignal,
    aborted: Pin<Box<dyn Future<Output = ()>>>,
    /// Whom the signal wakes; while that is the same task there is no need to tell it again.
    wakes: Option<Waker>,
    /// When all of it must be over.
    total_due: Option<Instant>,
    /// How long there may be nothing to read.
    read: Option<Duration>,
    last_read: Instant,
    /// Fires when one of the limits may have been reached.
    timer: Option<Pin<Box<Sleep>>>,
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
        let now = Instant::now();
        Watch {
            signal: abort,
            aborted: Box::pin(aborted),
            wakes: None,
            total_due: total.and_then(|limit| now.checked_add(limit)),
            read,
            last_read: now,
            timer: None,
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
        let read_due = self.read.and_then(|limit| self.last_read.checked_add(limit));
        let Some(first) = [self.total_due, read_due].into_iter().flatten().min() else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(first)));
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if self.total_due.is_some_and(|due| due <= now) {
                return failed(FailureKind::TotalTimeout, "not finished within --total-timeout");
            }
            if read_due.is_some_and(|due| due <= now) {
                return failed(FailureKind::ReadTimeout, "nothing to read for --read-timeout");
            }
            timer.as_mut().reset(first);
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
