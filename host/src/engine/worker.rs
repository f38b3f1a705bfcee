//! A worker: one thread with one event loop, some of the stage's send slots, and a transport of its
//! own. Together with the transport it is all there is on the timing path.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_channel::{Receiver, Sender, TryRecvError};
use tokio::sync::{Mutex, oneshot, watch};

use super::health::{LagHistogram, Starved, WorkerReport, thread_cpu, watch_loop};
use super::prepare::Prepared;
use super::refill::Refill;
use super::stop::StopSignal;
use crate::clock::{Clock, PreciseTimer};
use crate::contract::{Ending, Failure, FailureKind, HttpRequest, Timeline, Transport};
use crate::record::Activity;
use crate::units::Nanos;

/// A part of a stage that ends before the next one begins: the warm-up, the measurement.
#[derive(Debug, Clone)]
pub(super) struct Phase {
    pub(super) prepared: Receiver<Box<Prepared>>,
    /// Where the thread that fills the queue rests.
    pub(super) refill: Arc<Refill>,
    /// When it began; set before any worker is let into it.
    pub(super) start: Arc<OnceLock<Nanos>>,
    /// How long after its start the measurement begins; set before the first request that counts is
    /// handed out.
    pub(super) measured_from: Arc<OnceLock<Nanos>>,
    /// How long after that requests may still be started.
    pub(super) duration: Option<Nanos>,
}

/// A request that is over, on its way to be understood.
#[derive(Debug)]
pub(super) struct Exchanged {
    pub(super) prepared: Box<Prepared>,
    pub(super) due: Nanos,
    pub(super) worker: u32,
    pub(super) bytes_out: u64,
    pub(super) timeline: Timeline,
    /// Where the conversation's next turn goes, if it has one.
    pub(super) next_turn: Option<oneshot::Sender<Option<Box<Prepared>>>>,
}

/// What decides how many requests a worker has in flight.
#[derive(Debug, Clone, Copy)]
pub(super) enum WorkerLoad {
    /// This many slots, each with one request at a time: a closed loop.
    Slots(u32),
    /// The arrivals alone: an open loop; at most so many, if there is a limit.
    Open { most: Option<u32> },
}

/// What a worker works with.
pub(super) struct Worker {
    pub(super) index: u32,
    pub(super) load: WorkerLoad,
    /// How often a failed request is tried again.
    pub(super) may_retry: u32,
    pub(super) clock: Clock,
    pub(super) stop: StopSignal,
    pub(super) settled: Sender<Box<Exchanged>>,
    pub(super) activity: Arc<Activity>,
}

impl Worker {
    /// Runs the phases in order on this thread, entering each when `gate` lets it.
    pub(super) fn run(
        self,
        transport: Box<dyn Transport>,
        phases: &[Phase],
        mut gate: impl FnMut(usize),
    ) -> io::Result<WorkerReport> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?;
        let transport: Rc<dyn Transport> = Rc::from(transport);
        let worker = Rc::new(self);
        let mut report = WorkerReport::default();
        for (index, phase) in phases.iter().enumerate() {
            gate(index);
            // Each phase is measured alone; the last one is the one that counts.
            report = runtime.block_on(run_phase(worker.clone(), transport.clone(), phase.clone()))?;
        }
        Ok(report)
    }
}

async fn run_phase(
    worker: Rc<Worker>,
    transport: Rc<dyn Transport>,
    phase: Phase,
) -> io::Result<WorkerReport> {
    let start = phase.start.get().copied().unwrap_or_else(|| worker.clock.now());
    let cpu_before = thread_cpu();
    let pacer = Rc::new(Mutex::new(Pacer {
        clock: worker.clock,
        timer: PreciseTimer::new(worker.clock)?,
        stop: worker.stop.clone(),
        prepared: phase.prepared,
        refill: phase.refill,
        start,
        measured_from: phase.measured_from,
        duration: phase.duration,
        starved: Starved::default(),
    }));
    let loop_lag = Rc::new(RefCell::new(LagHistogram::new()));
    let watch = tokio::task::spawn_local(watch_loop(worker.clock, loop_lag.clone(), worker.activity.clone()));
    let tasks: Vec<_> = match worker.load {
        WorkerLoad::Slots(slots) => (0..slots)
            .map(|_| tokio::task::spawn_local(slot(worker.clone(), transport.clone(), pacer.clone())))
            .collect(),
        WorkerLoad::Open { most } => {
            vec![tokio::task::spawn_local(open_loop(worker.clone(), transport.clone(), pacer.clone(), most))]
        }
    };
    let mut failed = None;
    for task in tasks {
        let ended = task.await.map_err(io::Error::other).and_then(|ended| ended);
        failed = failed.or(ended.err());
    }
    if let Some(error) = failed {
        return Err(error);
    }
    watch.abort();
    let report = WorkerReport {
        loop_lag: loop_lag.take(),
        cpu: thread_cpu() - cpu_before,
        elapsed: worker.clock.now() - start,
        starved: pacer.lock().await.starved,
    };
    Ok(report)
}

/// One send slot of a closed loop: takes a request when it is due, makes it, hands on what came
/// back, and takes the next. A conversation stays in its slot until its last turn.
async fn slot(worker: Rc<Worker>, transport: Rc<dyn Transport>, pacer: Rc<Mutex<Pacer>>) -> io::Result<()> {
    loop {
        let asked = worker.clock.now();
        // Whoever waits for the pacer is handed it, so that to try first is no jumping of the queue.
        let mut held = match pacer.try_lock() {
            Ok(held) => held,
            Err(_taken) => pacer.lock().await,
        };
        let Some((prepared, due)) = held.next(asked).await? else {
            return Ok(());
        };
        drop(held);
        converse(&worker, transport.as_ref(), prepared, due).await;
    }
}

/// An open loop: each request is made when it is due, whatever has become of those before it.
async fn open_loop(
    worker: Rc<Worker>,
    transport: Rc<dyn Transport>,
    pacer: Rc<Mutex<Pacer>>,
    most: Option<u32>,
) -> io::Result<()> {
    let mut in_flight = tokio::task::JoinSet::new();
    let mut pacer = pacer.lock().await;
    loop {
        let asked = worker.clock.now();
        let Some((prepared, due)) = pacer.next(asked).await? else { break };
        while in_flight.try_join_next().is_some() {}
        if most.is_some_and(|most| in_flight.len() >= most as usize) {
            shed(&worker, prepared, due).await;
            continue;
        }
        let (worker, transport) = (worker.clone(), transport.clone());
        in_flight.spawn_local(async move { converse(&worker, transport.as_ref(), prepared, due).await });
    }
    while let Some(ended) = in_flight.join_next().await {
        ended.map_err(io::Error::other)?;
    }
    Ok(())
}

/// Hands on a request that was due and is not made.
async fn shed(worker: &Worker, prepared: Box<Prepared>, due: Nanos) {
    let message = "not sent: as many requests as --max-concurrency allows were in flight";
    let failure = Failure::new(FailureKind::Shed, message);
    let timeline = Timeline::unsent(worker.clock.now(), failure);
    let exchanged =
        Exchanged { prepared, due, worker: worker.index, bytes_out: 0, timeline, next_turn: None };
    // The queue closes only when the stage is being torn down.
    let _ = worker.settled.send(Box::new(exchanged)).await;
}

/// Makes a conversation's requests, one after the other's reply; retries are among them.
async fn converse(worker: &Worker, transport: &dyn Transport, mut prepared: Box<Prepared>, mut due: Nanos) {
    while let Some(next) = exchange(worker, transport, prepared, due).await {
        let wait = if next.key.attempt > 1 {
            next.retry_after.unwrap_or_default()
        } else {
            Nanos::from_ms(next.turn.turn.think_time_ms.unwrap_or(0.0).max(0.0)).as_duration()
        };
        let mut stop = worker.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.drained() => {}
        }
        if worker.stop.draining() {
            return;
        }
        (prepared, due) = (next, worker.clock.now());
    }
}

/// Makes one request and hands on what came back; returns the conversation's next turn, if there is
/// one to make.
async fn exchange(
    worker: &Worker,
    transport: &dyn Transport,
    prepared: Box<Prepared>,
    due: Nanos,
) -> Option<Box<Prepared>> {
    let (bytes_out, timeline) = match &prepared.request {
        Ok(request) => {
            let _in_flight = worker.activity.begin();
            (request.body.len() as u64, send(worker, transport, request, prepared.cancel_after).await)
        }
        Err(failure) => (0, Timeline::unsent(worker.clock.now(), failure.clone())),
    };
    let may_go_on = !prepared.rest.is_empty() || prepared.key.attempt <= worker.may_retry;
    let (next_turn, answer) = may_go_on.then(oneshot::channel).unzip();
    let exchanged = Exchanged { prepared, due, worker: worker.index, bytes_out, timeline, next_turn };
    // The queue closes only when the stage is being torn down; then nobody wants the rest.
    worker.settled.send(Box::new(exchanged)).await.ok()?;
    answer?.await.ok().flatten()
}

/// Sends a request, and gives it up after a while if that is asked for.
async fn send(
    worker: &Worker,
    transport: &dyn Transport,
    request: &HttpRequest,
    cancel_after: Option<Duration>,
) -> Timeline {
    let Some(after) = cancel_after else {
        return transport.exchange(request, worker.stop.abort_signal()).await;
    };
    let (give_up, given_up) = watch::channel(false);
    let mut abort = worker.stop.abort_signal();
    let mut exchange = transport.exchange(request, given_up);
    let mut cancelled = false;
    let mut timeline = tokio::select! {
        timeline = &mut exchange => return timeline,
        () = tokio::time::sleep(after) => {
            cancelled = true;
            give_up.send_replace(true);
            exchange.await
        }
        Ok(_) = abort.wait_for(|&abort| abort) => {
            give_up.send_replace(true);
            exchange.await
        }
    };
    if cancelled && timeline.ending != Ending::Complete {
        let message = format!("given up after {} ms, as --cancel-rate asks", after.as_millis());
        timeline.ending = Ending::Failed(Failure::new(FailureKind::Cancelled, message));
    }
    timeline
}

/// Hands out requests in the order they are due. The slots of a worker take turns at it, so one
/// timer serves them all.
struct Pacer {
    clock: Clock,
    timer: PreciseTimer,
    stop: StopSignal,
    prepared: Receiver<Box<Prepared>>,
    refill: Arc<Refill>,
    start: Nanos,
    measured_from: Arc<OnceLock<Nanos>>,
    duration: Option<Nanos>,
    starved: Starved,
}

impl Pacer {
    /// The next request once it is due, and when that was; `None` when there is none to start any
    /// more. `asked` is when the slot became free.
    async fn next(&mut self, asked: Nanos) -> io::Result<Option<(Box<Prepared>, Nanos)>> {
        if self.over(|clock| clock.now()) {
            return Ok(None);
        }
        let (prepared, waited) = match self.prepared.try_recv() {
            Ok(prepared) => (prepared, false),
            Err(TryRecvError::Closed) => return Ok(None),
            Err(TryRecvError::Empty) => {
                let next = tokio::select! {
                    next = self.prepared.recv() => next,
                    () = self.stop.drained() => return Ok(None),
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
            if self.over(|_| due) {
                return Ok(None);
            }
            tokio::select! {
                waited = self.timer.wait_until(due) => waited?,
                () = self.stop.drained() => return Ok(None),
            }
        }
        Ok(Some((prepared, due)))
    }

    /// Whether nothing is to be started any more at a time, which only a stage with a duration asks for.
    fn over(&self, at: impl FnOnce(&Clock) -> Nanos) -> bool {
        let end = |duration| Some(self.start + *self.measured_from.get()? + duration);
        self.stop.draining() || self.duration.and_then(end).is_some_and(|end| at(&self.clock) >= end)
    }
}
