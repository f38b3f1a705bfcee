//! A worker: one thread with one event loop, some of the stage's send slots, and a transport of its
//! own. Together with the transport it is all there is on the timing path.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use tokio::sync::{Mutex, oneshot, watch};

use super::health::{LagHistogram, WorkerReport, thread_cpu, watch_loop};
use super::pacer::{Closing, Pacer};
use super::prepare::Prepared;
use super::refill::Refill;
use super::relief::Relief;
use super::stop::StopSignal;
use crate::clock::Clock;
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

impl Exchanged {
    /// How long the reply is.
    pub(super) fn bytes_in(&self) -> usize {
        self.timeline.body.len()
    }
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
    /// Who is told how much of that waits.
    pub(super) relief: Arc<Relief>,
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
    let closing = Closing::new(worker.clock, worker.stop.clone(), &phase, start);
    let pacer = Rc::new(Mutex::new(Pacer::new(worker.clock, phase, start, closing.clone())?));
    let loop_lag = Rc::new(RefCell::new(LagHistogram::new()));
    let watch = tokio::task::spawn_local(watch_loop(
        worker.index,
        worker.clock,
        loop_lag.clone(),
        worker.activity.clone(),
    ));
    let most = match worker.load {
        WorkerLoad::Slots(_) => None,
        WorkerLoad::Open { most } => most,
    };
    let caller = Rc::new(Caller { worker: worker.clone(), transport, closing, places: Places::new(most) });
    let tasks: Vec<_> = match worker.load {
        WorkerLoad::Slots(slots) => {
            (0..slots).map(|_| tokio::task::spawn_local(slot(caller.clone(), pacer.clone()))).collect()
        }
        WorkerLoad::Open { .. } => vec![tokio::task::spawn_local(open_loop(caller, pacer.clone()))],
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
async fn slot(caller: Rc<Caller>, pacer: Rc<Mutex<Pacer>>) -> io::Result<()> {
    loop {
        let asked = caller.worker.clock.now();
        // Whoever waits for the pacer is handed it, so that to try first is no jumping of the queue.
        let mut held = match pacer.try_lock() {
            Ok(held) => held,
            Err(_taken) => pacer.lock().await,
        };
        let Some((prepared, due)) = held.next(asked).await? else {
            return Ok(());
        };
        drop(held);
        caller.converse(prepared, due, None).await;
    }
}

/// An open loop: each request is made when it is due, whatever has become of those before it.
async fn open_loop(caller: Rc<Caller>, pacer: Rc<Mutex<Pacer>>) -> io::Result<()> {
    let mut in_flight = tokio::task::JoinSet::new();
    let mut pacer = pacer.lock().await;
    loop {
        let asked = caller.worker.clock.now();
        let Some((prepared, due)) = pacer.next(asked).await? else { break };
        while in_flight.try_join_next().is_some() {}
        match caller.places.take() {
            Some(place) => {
                let caller = caller.clone();
                in_flight.spawn_local(async move { caller.converse(prepared, due, Some(place)).await });
            }
            None => caller.shed(prepared, due).await,
        }
    }
    while let Some(ended) = in_flight.join_next().await {
        ended.map_err(io::Error::other)?;
    }
    Ok(())
}

/// The places among the requests in flight that an open loop of a worker has to give.
struct Places {
    most: Option<u32>,
    taken: Rc<Cell<u32>>,
}

/// One of them, until it is dropped.
struct Place(Rc<Cell<u32>>);

impl Places {
    fn new(most: Option<u32>) -> Places {
        Places { most, taken: Rc::default() }
    }

    /// A place, if there is one.
    fn take(&self) -> Option<Place> {
        let taken = self.taken.get();
        if self.most.is_some_and(|most| taken >= most) {
            return None;
        }
        self.taken.set(taken + 1);
        Some(Place(self.taken.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Makes the requests of a phase.
struct Caller {
    worker: Rc<Worker>,
    transport: Rc<dyn Transport>,
    closing: Closing,
    places: Places,
}

impl Caller {
    /// Makes a conversation's requests, one after the other's reply; retries are among them. In an open
    /// loop it has a place, which it keeps between turns, and gives back while a retry waits.
    async fn converse(&self, mut prepared: Box<Prepared>, mut due: Nanos, mut place: Option<Place>) {
        while let Some(next) = self.exchange(prepared, due).await {
            let retries = next.key.attempt > 1;
            let wait = if retries {
                next.retry_after.unwrap_or_default()
            } else {
                Nanos::from_ms(next.turn.turn.think_time_ms.unwrap_or(0.0).max(0.0)).as_duration()
            };
            if retries && self.closing.over(|clock| clock.now() + Nanos::from_s(wait.as_secs_f64())) {
                return;
            }
            let gives_up_place = retries && !wait.is_zero() && place.take().is_some();
            if !wait.is_zero() {
                let mut stop = self.worker.stop.clone();
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = stop.drained() => {}
                }
            }
            if self.worker.stop.draining() || retries && self.closing.over(Clock::now) {
                return;
            }
            (prepared, due) = (next, self.worker.clock.now());
            if gives_up_place {
                place = self.places.take();
                if place.is_none() {
                    return self.shed(prepared, due).await;
                }
            }
        }
    }

    /// Hands on a request that was due and is not made.
    async fn shed(&self, prepared: Box<Prepared>, due: Nanos) {
        let message = "not sent: as many requests as --max-concurrency allows were in flight";
        let failure = Failure::new(FailureKind::Shed, message);
        let timeline = Timeline::unsent(self.worker.clock.now(), failure);
        self.hand_on(prepared, due, 0, timeline, None).await;
    }

    /// Makes one request and hands on what came back; returns the conversation's next turn, if there is
    /// one to make.
    async fn exchange(&self, prepared: Box<Prepared>, due: Nanos) -> Option<Box<Prepared>> {
        let worker = &self.worker;
        let (bytes_out, timeline) = match &prepared.request {
            Ok(request) => {
                let _in_flight = worker.activity.begin();
                (request.body.len() as u64, self.send(request, prepared.cancel_after).await)
            }
            Err(failure) => (0, Timeline::unsent(worker.clock.now(), failure.clone())),
        };
        let may_go_on = !prepared.rest.is_empty() || prepared.key.attempt <= worker.may_retry;
        let (next_turn, answer) = may_go_on.then(oneshot::channel).unzip();
        if !self.hand_on(prepared, due, bytes_out, timeline, next_turn).await {
            return None;
        }
        answer?.await.ok().flatten()
    }

    /// Hands on a request that is over. Returns whether anybody takes it: the queue closes only when the
    /// stage is being torn down, and then nobody wants the rest.
    async fn hand_on(
        &self,
        prepared: Box<Prepared>,
        due: Nanos,
        bytes_out: u64,
        timeline: Timeline,
        next_turn: Option<oneshot::Sender<Option<Box<Prepared>>>>,
    ) -> bool {
        let worker = self.worker.index;
        let exchanged = Exchanged { prepared, due, worker, bytes_out, timeline, next_turn };
        self.worker.relief.comes(exchanged.bytes_in(), exchanged.next_turn.is_some());
        let taken = self.worker.settled.send(Box::new(exchanged)).await.is_ok();
        self.worker.relief.waits(self.worker.settled.len());
        taken
    }

    /// Sends a request, and gives it up after a while if that is asked for.
    async fn send(&self, request: &HttpRequest, cancel_after: Option<Duration>) -> Timeline {
        let Some(after) = cancel_after else {
            return self.transport.exchange(request, self.worker.stop.abort_signal()).await;
        };
        let (give_up, given_up) = watch::channel(false);
        let mut abort = self.worker.stop.abort_signal();
        let mut exchange = self.transport.exchange(request, given_up);
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
}
