//! How a run is asked to end early: first gently, then at once.

use tokio::sync::watch;

use crate::contract::AbortSignal;

/// The end that is held by whoever may stop the run.
#[derive(Debug)]
pub struct StopSwitch {
    drain: watch::Sender<bool>,
    abort: watch::Sender<bool>,
}

/// The end that the engine listens to. Cloned freely.
#[derive(Debug, Clone)]
pub struct StopSignal {
    drain: watch::Receiver<bool>,
    abort: AbortSignal,
}

impl StopSwitch {
    /// A switch and the signal that it gives.
    pub fn new() -> (StopSwitch, StopSignal) {
        let (drain, drain_seen) = watch::channel(false);
        let (abort, abort_seen) = watch::channel(false);
        (StopSwitch { drain, abort }, StopSignal { drain: drain_seen, abort: abort_seen })
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
}

impl StopSignal {
    /// Whether no further request may start.
    pub fn draining(&self) -> bool {
        *self.drain.borrow()
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
}
