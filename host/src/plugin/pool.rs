//! A bounded number of instances that are made when needed and used again.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Instances of one plugin. An instance serves one call at a time; who finds none free waits.
#[derive(Debug)]
pub(super) struct Pool<I> {
    state: Mutex<State<I>>,
    freed: Condvar,
    most: usize,
}

#[derive(Debug)]
struct State<I> {
    idle: Vec<I>,
    made: usize,
}

/// Whether an instance can serve another call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// It can.
    Keep,
    /// It crashed, or has grown too large.
    Retire,
}

impl<I> Pool<I> {
    /// A pool of at most `most` instances, at least one, of which `first` is there already.
    pub(super) fn new(first: I, most: usize) -> Pool<I> {
        Pool {
            state: Mutex::new(State { idle: vec![first], made: 1 }),
            freed: Condvar::new(),
            most: most.max(1),
        }
    }

    /// Calls an instance: the one used last, so that few of them stay warm; else a new one.
    pub(super) fn with<R, E>(
        &self,
        make: impl FnOnce() -> Result<I, E>,
        call: impl FnOnce(&mut I) -> (Result<R, E>, After),
    ) -> Result<R, E> {
        let mut lease = Lease { pool: self, instance: self.take() };
        let instance = match &mut lease.instance {
            Some(instance) => instance,
            empty => empty.insert(make()?),
        };
        let (answer, after) = call(instance);
        if after == After::Retire {
            lease.instance = None;
        }
        answer
    }

    /// An idle instance, or `None` as the leave to make one.
    fn take(&self) -> Option<I> {
        let mut state = self.lock();
        loop {
            if let Some(instance) = state.idle.pop() {
                return Some(instance);
            }
            if state.made < self.most {
                state.made += 1;
                return None;
            }
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<I>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The use of one place in the pool: however a call ends, the place is free again.
struct Lease<'a, I> {
    pool: &'a Pool<I>,
    instance: Option<I>,
}

impl<I> Drop for Lease<'_, I> {
    fn drop(&mut self) {
        let instance = if std::thread::panicking() { None } else { self.instance.take() };
        let mut state = self.pool.lock();
        match instance {
            Some(instance) => state.idle.push(instance),
            None => state.made -= 1,
        }
        drop(state);
        self.pool.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    type Answer = (Result<u32, String>, After);

    #[test]
    fn an_instance_is_used_again_until_it_is_retired() {
        let pool = Pool::new(1, 1);
        let made = AtomicUsize::new(0);
        let make = || -> Result<u32, String> {
            made.fetch_add(1, Ordering::Relaxed);
            Ok(7)
        };
        let keep = |i: &mut u32| -> Answer { (Ok(*i), After::Keep) };
        let retire = |_: &mut u32| -> Answer { (Err("trap".into()), After::Retire) };
        assert_eq!(pool.with(make, keep), Ok(1));
        assert_eq!(pool.with(make, retire), Err("trap".into()));
        assert_eq!(pool.with(make, keep), Ok(7));
        assert_eq!(pool.with(make, keep), Ok(7));
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn an_instance_that_cannot_be_made_takes_no_place() {
        let pool = Pool::new(1, 1);
        let retire = |_: &mut u32| -> Answer { (Ok(0), After::Retire) };
        let keep = |i: &mut u32| -> Answer { (Ok(*i), After::Keep) };
        assert_eq!(pool.with(|| Ok(2), retire), Ok(0));
        assert_eq!(pool.with(|| Err("no".into()), keep), Err("no".into()));
        assert_eq!(pool.with(|| Ok(3), keep), Ok(3));
    }

    #[test]
    fn no_more_instances_are_busy_at_once_than_there_may_be() {
        let pool = Pool::new((), 2);
        let busy = AtomicUsize::new(0);
        let most = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let call = |_: &mut ()| {
                            most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                            std::thread::yield_now();
                            busy.fetch_sub(1, Ordering::SeqCst);
                            (Ok(()), After::Keep)
                        };
                        pool.with(|| Ok::<(), ()>(()), call).unwrap();
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 2);
    }
}
