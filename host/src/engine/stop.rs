//! How a run is asked to end early: first gently, then at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::contract::AbortSignal;

/// The end that is held by whoever may stop the run.
#[derive(Debug)]
pub struct StopSwitch {
    drain: watch::Sender<bool>,
    abort: watch::Sender<bool>,
    failed: Arc<AtomicBool>,
}

/// The end that the engine listens to. Cloned freely.
#[derive(Debug, Clone)]
pub struct StopSignal {
    drain: watch::Receiver<bool>,
    abort: AbortSignal,
    failed: Arc<AtomicBool>,
}

impl StopSwitch {
    /// A switch and the signal that it gives.
    pub fn new() -> (StopSwitch, StopSignal) {
        let (drain, drain_seen) = watch::channel(false);
        let (abort, abort_seen) = watch::channel(false);
        let failed = Arc::new(AtomicBool::new(false));
        (
            StopSwitch { drain, abort, failed: failed.clone() },
            StopSignal { drain: drain_seen, abort: abort_seen, failed },
        )
    }

    /// Asks for an end: no request is started any more, those in flight are finished.
    /// Asked again, it gives up what is in flight. Returns whether this was the first time.
    pub fn press(&self) -> bool {
        let first = !self.drain.send_replace(true);
        if !first {
            self.abort.send_replace(true);
        }
        first
    }

    /// Asks for a gentle end because going on makes no sense: what is measured cannot be kept.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Release);
        self.drain.send_replace(true);
    }
}

impl StopSignal {
    /// Whether no further request may start.
    pub fn draining(&self) -> bool {
        *self.drain.borrow()
    }

    /// Whether the end was asked for because something failed, and not by the user.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Whether requests in flight are given up.
    pub fn aborted(&self) -> bool {
        *self.abort.borrow()
    }

    /// Returns once no further request may start; never, if that never happens.
    pub async fn drained(&mut self) {
        if self.drain.wait_for(|&drain| drain).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The signal that ends exchanges where they are.
    pub fn abort_signal(&self) -> AbortSignal {
        self.abort.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_press_drains_and_the_second_aborts() {
        let (switch, signal) = StopSwitch::new();
        assert!(!signal.draining());
        assert!(switch.press());
        assert!(signal.draining() && !signal.aborted());
        assert!(!switch.press());
        assert!(signal.aborted());
    }

    #[test]
    fn a_failure_drains_and_the_next_press_aborts() {
        let (switch, signal) = StopSwitch::new();
        switch.fail();
        assert!(signal.failed() && signal.draining() && !signal.aborted());
        assert!(!switch.press());
        assert!(signal.aborted());
    }
}
