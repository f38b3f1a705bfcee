//! The time limits of calls, as wasmtime counts them: in epochs, which a thread lets pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::Engine;

/// The time between two epochs, and so the grain of time limits.
const TICK: Duration = Duration::from_millis(10);
/// After how many ticks without a call the thread rests. To wake it costs more than a short call, so
/// that it stays awake between calls that follow one another.
const IDLE_TICKS: u32 = 10;

/// How many epochs it takes until at least `limit` has passed.
pub(super) fn epochs(limit: Duration) -> u64 {
    u64::try_from(limit.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX / 2).saturating_add(1)
}

/// Lets the epochs of an engine pass while plugins are called, and only then: a core that sleeps is not
/// woken a hundred times a second for nothing. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct EpochClock {
    calls: Arc<Calls>,
    thread: Thread,
}

/// The calls that are being made.
#[derive(Debug, Default)]
struct Calls {
    /// How many.
    running: AtomicUsize,
    /// Whether the thread rests, until whoever sets this back wakes it.
    resting: AtomicBool,
}

/// A call that is being made, until it is dropped.
#[derive(Debug)]
pub(super) struct Running<'a>(&'a Calls);

impl EpochClock {
    /// The clock of `engine`; it runs for as long as the process.
    ///
    /// # Errors
    /// If there can be no further thread.
    pub(super) fn start(engine: Engine) -> std::io::Result<EpochClock> {
        let calls = Arc::new(Calls::default());
        let shared = Arc::clone(&calls);
        let thread = thread::Builder::new()
            .name("plugin-clock".into())
            .spawn(move || run(&shared, || engine.increment_epoch()))?;
        Ok(EpochClock { calls, thread: thread.thread().clone() })
    }

    /// Begins a call: epochs pass at least until what this returns is dropped.
    pub(super) fn call(&self) -> Running<'_> {
        // Both are in one order with the two of the thread: either this sees that it rests, or the thread
        // sees that there is a call.
        self.calls.running.fetch_add(1, Ordering::SeqCst);
        if self.calls.resting.load(Ordering::SeqCst) && self.calls.resting.swap(false, Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(&self.calls)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn run(calls: &Calls, tick: impl Fn()) {
    let mut idle = 0;
    loop {
        if calls.running.load(Ordering::SeqCst) > 0 {
            idle = 0;
        } else if idle < IDLE_TICKS {
            idle += 1;
        } else {
            calls.resting.store(true, Ordering::SeqCst);
            if calls.running.load(Ordering::SeqCst) > 0 {
                calls.resting.store(false, Ordering::SeqCst);
            }
            // A call ends the rest, however short it is.
            while calls.resting.load(Ordering::SeqCst) {
                thread::park();
            }
            idle = 0;
        }
        thread::sleep(TICK);
        tick();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;
    use std::time::Instant;

    /// A clock that counts its epochs.
    fn counting() -> (EpochClock, Arc<AtomicU64>) {
        let (calls, passed) = (Arc::new(Calls::default()), Arc::new(AtomicU64::new(0)));
        let (shared, counted) = (Arc::clone(&calls), Arc::clone(&passed));
        let thread = thread::spawn(move || {
            run(&shared, || {
                counted.fetch_add(1, Ordering::SeqCst);
            });
        });
        (EpochClock { calls, thread: thread.thread().clone() }, passed)
    }

    /// Returns once `so` is, which it is at some time.
    fn comes_to_it(what: &str, so: impl Fn() -> bool) {
        let patience = Instant::now() + Duration::from_secs(60);
        while !so() {
            assert!(Instant::now() < patience, "{what}");
            thread::sleep(TICK);
        }
    }

    fn rests(clock: &EpochClock) {
        comes_to_it("the clock never rests", || clock.calls.resting.load(Ordering::SeqCst));
    }

    #[test]
    fn epochs_pass_while_there_is_a_call_and_not_without() {
        let (clock, passed) = counting();
        for _ in 0..3 {
            rests(&clock);
            let before = passed.load(Ordering::SeqCst);
            thread::sleep(TICK * 5);
            assert_eq!(passed.load(Ordering::SeqCst), before);
            let (outer, inner) = (clock.call(), clock.call());
            drop(inner);
            let due = before + u64::from(IDLE_TICKS) * 2;
            comes_to_it("no epochs pass", || passed.load(Ordering::SeqCst) >= due);
            drop(outer);
        }
    }

    /// To wake the clock costs more than most calls, so it must not rest again after each.
    #[test]
    fn a_call_that_is_over_at_once_keeps_the_clock_awake_for_a_while() {
        let (clock, passed) = counting();
        for _ in 0..3 {
            rests(&clock);
            let before = passed.load(Ordering::SeqCst);
            drop(clock.call());
            assert!(!clock.calls.resting.load(Ordering::SeqCst));
            rests(&clock);
            assert!(passed.load(Ordering::SeqCst) >= before + u64::from(IDLE_TICKS));
        }
    }

    #[test]
    fn a_limit_is_never_cut_short() {
        // One more, as the first may end at once.
        assert_eq!(epochs(Duration::from_millis(1)), 2);
        assert_eq!(epochs(Duration::from_millis(10)), 2);
        assert_eq!(epochs(Duration::from_millis(11)), 3);
        assert_eq!(epochs(Duration::from_secs(1)), 101);
        assert!(epochs(Duration::MAX) > 1 << 62);
    }
}
