//! When requests are started: each when it is due, and none when the phase is over.

use std::io;
use std::sync::{Arc, OnceLock};

use async_channel::{Receiver, TryRecvError};

use super::health::Starved;
use super::prepare::Prepared;
use super::refill::Refill;
use super::stop::StopSignal;
use super::worker::Phase;
use crate::clock::{Clock, PreciseTimer};
use crate::units::Nanos;

/// Hands out requests in the order they are due. The slots of a worker take turns at it, so one
/// timer serves them all.
pub(super) struct Pacer {
    clock: Clock,
    timer: PreciseTimer,
    closing: Closing,
    prepared: Receiver<Box<Prepared>>,
    refill: Arc<Refill>,
    start: Nanos,
    /// Requests that were due before they were ready.
    pub(super) starved: Starved,
}

impl Pacer {
    /// That of a phase which began at `start`. Fails if the kernel has no timer to give.
    pub(super) fn new(clock: Clock, phase: Phase, start: Nanos, closing: Closing) -> io::Result<Pacer> {
        Ok(Pacer {
            clock,
            timer: PreciseTimer::new(clock)?,
            closing,
            prepared: phase.prepared,
            refill: phase.refill,
            start,
            starved: Starved::default(),
        })
    }

    /// The next request once it is due, and when that was; `None` when there is none to start any
    /// more. `asked` is when the slot became free.
    pub(super) async fn next(&mut self, asked: Nanos) -> io::Result<Option<(Box<Prepared>, Nanos)>> {
        if self.closing.over(|clock| clock.now()) {
            return Ok(None);
        }
        let (prepared, waited) = match self.prepared.try_recv() {
            Ok(prepared) => (prepared, false),
            Err(TryRecvError::Closed) => return Ok(None),
            Err(TryRecvError::Empty) => {
                let next = tokio::select! {
                    next = self.prepared.recv() => next,
                    () = self.closing.stop.drained() => return Ok(None),
                };
                match next {
                    Ok(prepared) => (prepared, true),
                    Err(_closed) => return Ok(None),
                }
            }
        };
        self.refill.taken(self.prepared.len());
        if prepared.due.is_none() && !waited {
            return Ok(Some((prepared, asked)));
        }
        let due = prepared.due.map_or(asked, |due| self.start + due);
        let now = self.clock.now();
        if waited && now > due {
            self.starved.requests += 1;
            self.starved.waited = self.starved.waited + (now - due);
        }
        if now < due {
            if self.closing.over(|_| due) {
                return Ok(None);
            }
            tokio::select! {
                waited = self.timer.wait_until(due) => waited?,
                () = self.closing.stop.drained() => return Ok(None),
            }
        }
        Ok(Some((prepared, due)))
    }
}

/// When a phase starts nothing any more.
#[derive(Clone)]
pub(super) struct Closing {
    clock: Clock,
    stop: StopSignal,
    start: Nanos,
    measured_from: Arc<OnceLock<Nanos>>,
    duration: Option<Nanos>,
}

impl Closing {
    /// That of a phase which began at `start`.
    pub(super) fn new(clock: Clock, stop: StopSignal, phase: &Phase, start: Nanos) -> Closing {
        Closing { clock, stop, start, measured_from: phase.measured_from.clone(), duration: phase.duration }
    }

    /// Whether nothing is to be started any more at a time, which only a stage with a duration asks for.
    pub(super) fn over(&self, at: impl FnOnce(&Clock) -> Nanos) -> bool {
        let end = |duration| Some(self.start + *self.measured_from.get()? + duration);
        self.stop.draining() || self.duration.and_then(end).is_some_and(|end| at(&self.clock) >= end)
    }
}
