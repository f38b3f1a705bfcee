//! Runs one stage: wires the queues between preparing, sending and settling, and sees to it that
//! each of them ends. It is given its parts as trait objects and cannot tell WASM from native, or a
//! socket from a fake.

mod bare;
mod gate;
mod health;
mod meaning;
mod pacer;
mod prepare;
mod probe;
mod refill;
mod relief;
mod reread;
pub mod schedule;
mod settle;
mod stop;
mod worker;

use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::time::Duration;

use async_channel::Sender;

pub use prepare::shape;
pub use probe::probe;
pub use reread::reread;
pub use stop::{StopSignal, StopSwitch};

use self::gate::Gates;
use self::health::{Vitals, process_cpu};
use self::prepare::{Prepared, Preparer};
use self::refill::Refill;
use self::relief::{Relief, Reliever};
use self::schedule::{ArrivalSpec, Schedule};
use self::settle::{Settler, next_exchange};
use self::worker::{Phase, Worker, WorkerLoad};
use crate::clock::Clock;
use crate::contract::{Api, Dataset, PartError, TokenCounter, Transport};
use crate::priority;
use crate::record::{Activity, Event, EventSender, StageEnd, StageHeader, StopReason};
use crate::units::Nanos;

/// What a stage is to do.
#[derive(Debug, Clone)]
pub struct StageSpec {
    /// The run's id.
    pub run_id: Arc<str>,
    /// The model's name, for the records.
    pub model: Arc<str>,
    /// Name, folder and size of the stage.
    pub header: Arc<StageHeader>,
    /// How arrivals are spaced.
    pub arrivals: ArrivalSpec,
    /// The most requests of an open loop in flight; what is due beyond that is not sent.
    pub max_concurrency: Option<u32>,
    /// How often a failed request is tried again.
    pub retries: u32,
    /// Which requests are given up on purpose.
    pub cancel: Option<CancelSpec>,
    /// The servers that conversations go to in turn, as `scheme://host:port`; with fewer than two,
    /// requests go where the API says.
    pub targets: Arc<[String]>,
    /// When the measured part stops starting requests, counted from its begin.
    pub duration: Option<Duration>,
    /// Where the stage's random choices begin.
    pub seed: u64,
    /// Threads that send and read.
    pub workers: u32,
    /// Threads that parse.
    pub settlers: u32,
    /// Whether prompts and outputs go into the records.
    pub keep_texts: bool,
    /// Whether replies are kept beside their records.
    pub keep_replies: bool,
}

/// Requests that the client gives up on purpose, as impatient users do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CancelSpec {
    /// The share of the requests, from 0 to 1.
    pub rate: f64,
    /// How long after it was sent a request is given up.
    pub after: Duration,
}

/// Makes each worker's transport, on the worker's own thread.
pub type TransportFactory = dyn Fn() -> Result<Box<dyn Transport>, String> + Send + Sync;

/// The parts that a stage runs on.
pub struct Parts<'a> {
    /// Where conversations come from; it goes on where the last stage left it.
    pub dataset: &'a mut dyn Dataset,
    /// The server's dialect.
    pub api: Arc<dyn Api>,
    /// Counts tokens that the server does not report.
    pub counter: Option<Arc<dyn TokenCounter>>,
    /// Makes the workers' transports.
    pub transport: &'a TransportFactory,
    /// Where events go.
    pub events: EventSender,
    /// The run's clock.
    pub clock: Clock,
    /// Where the workers say what they are about.
    pub activity: Arc<Activity>,
    /// The number of the next request of the run.
    pub next_id: &'a mut u64,
    /// Texts that must not appear in a record.
    pub secrets: Arc<Vec<String>>,
}

/// Why a stage could not be run to its end. The records that were made are safe.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The dataset failed.
    #[error("{0}")]
    Dataset(PartError),
    /// A transport could not be made.
    #[error("{0}")]
    Transport(String),
    /// The system refused something: a thread, a timer, an event loop.
    #[error("the system refused a resource: {0}; check the limits on threads and open files")]
    System(String),
}

/// How many requests are kept ready for each slot.
const READY_PER_SLOT: usize = 2;
/// The bounds of the queue of ready requests.
const READY: std::ops::RangeInclusive<usize> = 16..=2048;
/// The least room in a queue: with less, its ends would have to wake each other all the time.
const LEAST_ROOM: usize = 64;

/// Runs one stage and tells its events. It returns how the stage ended and, if something other
/// than a request failed, what.
pub fn run_stage(parts: Parts<'_>, spec: &StageSpec, stop: &StopSignal) -> (StageEnd, Option<EngineError>) {
    let Parts { dataset, api, counter, transport, events, clock, activity, next_id, secrets } = parts;
    let slots = spec.header.parallel;
    let workers = spec.workers.clamp(1, slots.unwrap_or(u32::MAX).max(1));
    let ready = slots.map_or(*READY.end(), |slots| slots as usize * READY_PER_SLOT);
    let ready = ready.clamp(*READY.start(), *READY.end());
    let room = ready.max(LEAST_ROOM);
    let share = |of: u32, index: u32| of / workers + u32::from(index < of % workers);
    let failure = FirstFailure::default();

    let StageHeader { warmup, number, .. } = *spec.header;
    // A recording goes on while its first requests warm the server up: all of it is one phase.
    let counts = match spec.arrivals {
        ArrivalSpec::Recorded => [0, warmup + number],
        _ => [warmup, number],
    };
    let measured_from = Arc::new(OnceLock::new());
    let mut feeds = Vec::new();
    let mut phases = Vec::new();
    for (index, count) in counts.into_iter().enumerate() {
        let (sender, receiver) = async_channel::bounded(room);
        let refill = Arc::new(Refill::new(room));
        let measured = index == counts.len() - 1;
        let duration = spec.duration.filter(|_| measured).map(|duration| Nanos(duration.as_nanos() as i64));
        phases.push(Phase {
            prepared: receiver,
            refill: refill.clone(),
            start: Arc::new(OnceLock::new()),
            measured_from: measured_from.clone(),
            duration,
        });
        feeds.push((sender, refill, count));
    }
    let (settled_in, settled_out) = async_channel::bounded(room);
    let relief = Arc::new(Relief::new(room));
    let gates = Gates::new(phases.len());

    events.emit(Event::StageStarted(spec.header.clone()));
    let mut preparer = Preparer::new(dataset, api.clone(), spec, next_id);
    let settler = Settler {
        api,
        shaper: preparer.shaper(),
        counter,
        events: events.clone(),
        relief: relief.clone(),
        keep_texts: spec.keep_texts,
        keep_replies: spec.keep_replies,
        may_retry: spec.retries,
        conversations: spec.header.conversations,
        secrets,
    };
    // Whether requests wait for most replies: then settlers have their share of the cores, and need no relief.
    let waited_for = spec.retries > 0 || spec.header.conversations;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut vitals = Vitals { cores, ..Vitals::default() };
    let started = std::thread::scope(|scope| {
        let settlers: Vec<_> = (0..spec.settlers.max(1))
            .filter_map(|index| {
                let (settler, settled_out) = (&settler, &settled_out);
                let work = move || {
                    let stand = if waited_for { priority::stand_back } else { priority::stand_last };
                    stand(&format!("settler-{index}"));
                    settler.run(|awaited| next_exchange(settled_out, awaited))
                };
                spawn(scope, work, &failure)
            })
            .collect();
        let relievers = if waited_for { 0 } else { settlers.len() };
        let relievers: Vec<_> = (0..relievers)
            .filter_map(|index| {
                let (settler, settled_out, relief) = (&settler, &settled_out, &*relief);
                let work = move || {
                    priority::stand_back(&format!("reliever-{index}"));
                    let mut reliever = Reliever::new(relief, settled_out);
                    settler.run(|_| reliever.next())
                };
                spawn(scope, work, &failure)
            })
            .collect();
        if settlers.is_empty() {
            settled_out.close();
        }
        let running: Vec<_> = (0..workers)
            .filter_map(|index| {
                let worker = Worker {
                    index,
                    load: match slots {
                        Some(slots) => WorkerLoad::Slots(share(slots, index)),
                        None => {
                            WorkerLoad::Open { most: spec.max_concurrency.map(|most| share(most, index)) }
                        }
                    },
                    may_retry: spec.retries,
                    clock,
                    stop: stop.clone(),
                    settled: settled_in.clone(),
                    relief: relief.clone(),
                    activity: activity.clone(),
                };
                let (gates, phases, failure) = (&gates, &phases, &failure);
                let work = move || run_worker(worker, transport, phases, gates, failure);
                spawn(scope, work, failure)
            })
            .collect();
        drop(settled_in);
        let feeder = || {
            priority::stand_back("feeder");
            if let Err(error) = feed(&mut preparer, feeds, spec, &measured_from, stop) {
                failure.note(EngineError::Dataset(error));
            }
        };
        // Without it, its ends of the queues are gone and the workers find nothing to do.
        let feeder = spawn(scope, feeder, &failure);

        let mut begun = (clock.now(), process_cpu());
        for (index, phase) in phases.iter().enumerate() {
            wait_until_ready(phase, ready, stop);
            // A phase starts when the one before it is over, and its due times count from there.
            gates.gather(index, running.len());
            begun = (clock.now(), process_cpu());
            // It is set once, here, before any worker can look.
            let _ = phase.start.set(begun.0);
            gates.open(index);
        }
        for worker in running {
            match worker.join() {
                Ok(Some(report)) => vitals.workers.push(report),
                Ok(None) => {}
                Err(_) => failure.note(EngineError::System("a worker thread panicked".into())),
            }
        }
        // Workers that ended early leave requests that nobody will take.
        for phase in &phases {
            phase.prepared.close();
        }
        if feeder.is_some_and(|feeder| feeder.join().is_err()) {
            failure.note(EngineError::System("the thread that prepares requests panicked".into()));
        }
        // The settlers have taken what the workers left before they end.
        let mut settled: Vec<_> = settlers.into_iter().map(ScopedJoinHandle::join).collect();
        relief.end();
        settled.extend(relievers.into_iter().map(ScopedJoinHandle::join));
        for seen in settled {
            let Ok(Some(seen)) = seen else { continue };
            vitals.requests += seen.requests;
            vitals.succeeded += seen.succeeded;
            vitals.dispatch_lag.add(&seen.dispatch_lag);
            vitals.stamp_lag.add(&seen.stamp_lag);
        }
        vitals.process_cpu = process_cpu() - begun.1;
        vitals.elapsed = clock.now() - begun.0;
        begun.0
    });

    let failure = failure.into_inner();
    let reason = if failure.is_some() || stop.failed() {
        StopReason::Failed
    } else if stop.aborted() {
        StopReason::Aborted
    } else if stop.draining() {
        StopReason::Interrupted
    } else if vitals.requests < spec.header.number && spec.duration.is_some() {
        StopReason::Duration
    } else {
        StopReason::Count
    };
    let end = StageEnd {
        started_ns: started.0,
        finished_ns: (started + vitals.elapsed).0,
        reason,
        settled: vitals.requests,
        succeeded: vitals.succeeded,
        health: vitals.judge(),
    };
    events.emit(Event::StageFinished(spec.header.clone(), Box::new(end.clone())));
    (end, failure)
}

/// The first thing that failed, from whichever thread it happened on.
#[derive(Default)]
struct FirstFailure(Mutex<Option<EngineError>>);

impl FirstFailure {
    fn note(&self, error: EngineError) {
        let mut first = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        first.get_or_insert(error);
    }

    fn into_inner(self) -> Option<EngineError> {
        self.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Starts a thread; if the system has none to give, that is noted and the stage is run without it.
fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
    failure: &FirstFailure,
) -> Option<ScopedJoinHandle<'scope, T>> {
    Builder::new()
        .spawn_scoped(scope, work)
        .map_err(|error| failure.note(EngineError::System(format!("a thread ({error})"))))
        .ok()
}

fn run_worker(
    worker: Worker,
    transport: &TransportFactory,
    phases: &[Phase],
    gates: &Gates,
    failure: &FirstFailure,
) -> Option<health::WorkerReport> {
    priority::come_first(&format!("worker-{}", worker.index));
    let mut passed = 0;
    let mut enter = |index: usize| {
        gates.enter(index);
        passed = index + 1;
    };
    let result = match transport() {
        Ok(transport) => {
            worker.run(transport, phases, &mut enter).map_err(|e| EngineError::System(e.to_string()))
        }
        Err(error) => Err(EngineError::Transport(error)),
    };
    // Nobody may be left waiting at a gate for a worker that gave up.
    gates.leave(passed);
    result.map_err(|error| failure.note(error)).ok()
}

/// Fills each phase's queue in turn, until it has all its requests or nobody takes them any more.
fn feed(
    preparer: &mut Preparer<'_>,
    feeds: Vec<(Sender<Box<Prepared>>, Arc<Refill>, u64)>,
    spec: &StageSpec,
    measured_from: &OnceLock<Nanos>,
    stop: &StopSignal,
) -> Result<(), PartError> {
    let mut fed = 0;
    for (index, (queue, refill, count)) in feeds.into_iter().enumerate() {
        let mut schedule = Schedule::new(&spec.arrivals, spec.seed.wrapping_add(index as u64));
        for made in 0..count {
            if stop.draining() {
                return Ok(());
            }
            let warmup = fed < spec.header.warmup;
            let prepared = preparer.next(warmup, count - made, &mut schedule)?;
            fed += 1;
            if !warmup {
                // In a recording the measurement begins with the first request that is no warm-up.
                let recorded = prepared.due.filter(|_| spec.arrivals == ArrivalSpec::Recorded);
                measured_from.get_or_init(|| recorded.unwrap_or(Nanos::ZERO));
            }
            refill.rest_while_full(&queue);
            if queue.send_blocking(prepared).is_err() {
                break;
            }
        }
    }
    Ok(())
}

/// Waits until a phase has as many requests ready as its queue holds, or all that it will get.
fn wait_until_ready(phase: &Phase, ready: usize, stop: &StopSignal) {
    while phase.prepared.len() < ready && !phase.prepared.is_closed() && !stop.draining() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(test)]
mod tests;
