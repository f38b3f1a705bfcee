//! Who settles replies when they pile up. The settlers have what the workers leave of the cores, which
//! keeps them from taking one from a reader in the middle of its work. Where the workers leave nothing,
//! a second set of threads, which has a share of the cores as any other, drains the queue in long stretches.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

use async_channel::Receiver;

/// How many bytes of replies may wait before there is help.
const MOST_BYTES: usize = 16 << 20;

/// The resting place of the second set of threads.
#[derive(Debug)]
pub(super) struct Relief {
    resting: Mutex<Vec<Thread>>,
    called: AtomicBool,
    ended: AtomicBool,
    /// Of the replies that wait.
    bytes: AtomicUsize,
    /// How many of them a further request waits for.
    awaited: AtomicUsize,
    most: usize,
}

impl Relief {
    /// For a queue of `capacity`, of which a half may wait without help: as many as a closed loop has in
    /// flight, which may all end at once.
    pub(super) fn new(capacity: usize) -> Relief {
        Relief {
            resting: Mutex::default(),
            called: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            bytes: AtomicUsize::new(0),
            awaited: AtomicUsize::new(0),
            most: capacity / 2,
        }
    }

    /// Says that a reply of `bytes` is about to be put into the queue, and whether a request waits for it.
    pub(super) fn comes(&self, bytes: usize, awaited: bool) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.awaited.fetch_add(awaited.into(), Ordering::Relaxed);
    }

    /// Says that it was, and that so many are in there now.
    pub(super) fn waits(&self, queued: usize) {
        if self.is_too_much(queued, 1) && !self.called.swap(true, Ordering::SeqCst) {
            // One calls the next, so that a reader wakes no more than one.
            self.wake(1);
        }
    }

    /// Says that it was taken out.
    pub(super) fn taken(&self, bytes: usize, awaited: bool) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.awaited.fetch_sub(awaited.into(), Ordering::Relaxed);
    }

    /// Whether more waits than a part of what may, or anything for which a request does.
    fn is_too_much(&self, queued: usize, part: usize) -> bool {
        queued > self.most / part
            || self.bytes.load(Ordering::Relaxed) > MOST_BYTES / part
            || self.awaited.load(Ordering::Relaxed) > 0
    }

    /// Lets everybody go who rests here.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.wake(usize::MAX);
    }

    /// Wakes up to `most` of those who rest.
    fn wake(&self, most: usize) {
        let mut resting = self.resting();
        let stay = resting.len().saturating_sub(most);
        resting.drain(stay..).for_each(|thread| thread.unpark());
    }

    /// Returns whether there is work to do once there is, or none will come.
    fn rest<T>(&self, queue: &Receiver<T>) -> bool {
        let is_needed = || !queue.is_empty() && self.is_too_much(queue.len(), 1);
        while !self.ended.load(Ordering::Acquire) {
            if is_needed() {
                self.wake(1);
                return true;
            }
            self.resting().push(thread::current());
            // A call that comes after this ends the rest, and one before it has left its mark in the queue.
            self.called.store(false, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            if !is_needed() && !self.ended.load(Ordering::Acquire) {
                thread::park();
            }
            // Whoever woke it has taken it off the list, but threads wake up of themselves as well.
            self.resting().retain(|thread| thread.id() != thread::current().id());
        }
        false
    }

    fn resting(&self) -> MutexGuard<'_, Vec<Thread>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the second set of threads, at its queue.
pub(super) struct Reliever<'a, T> {
    relief: &'a Relief,
    queue: &'a Receiver<T>,
    draining: bool,
}

impl<'a, T> Reliever<'a, T> {
    /// The calling thread, which rests until it is needed.
    pub(super) fn new(relief: &'a Relief, queue: &'a Receiver<T>) -> Reliever<'a, T> {
        Reliever { relief, queue, draining: false }
    }

    /// The next one to settle, once there are many; none when there will be no more.
    pub(super) fn next(&mut self) -> Option<T> {
        loop {
            if self.draining
                && self.relief.is_too_much(self.queue.len(), 2)
                && let Ok(next) = self.queue.try_recv()
            {
                return Some(next);
            }
            self.draining = self.relief.rest(self.queue);
            if !self.draining {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_channel::Sender;
    use std::sync::mpsc::{self, RecvTimeoutError};
    use std::time::Duration;

    /// Lets the relievers go, though the test that has them fails.
    struct End<'a>(&'a Relief);

    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.end();
        }
    }

    /// A queue of 16, and what its relievers take.
    struct Queue<'a> {
        relief: &'a Relief,
        sender: Sender<usize>,
        seen: mpsc::Receiver<usize>,
    }

    impl Queue<'_> {
        fn relieved_by(threads: usize, test: impl FnOnce(Queue<'_>)) {
            let (sender, waiting) = async_channel::bounded(16);
            let relief = Relief::new(16);
            let (taken, seen) = mpsc::channel();
            thread::scope(|scope| {
                let _end = End(&relief);
                for _ in 0..threads {
                    scope.spawn(|| {
                        let mut reliever = Reliever::new(&relief, &waiting);
                        while let Some(next) = reliever.next() {
                            taken.send(next).unwrap();
                        }
                    });
                }
                test(Queue { relief: &relief, sender, seen });
            });
        }

        fn send(&self, number: usize) {
            self.sender.send_blocking(number).unwrap();
            self.relief.waits(self.sender.len());
        }

        /// They take these, in this order, and no more.
        fn loses(&self, numbers: std::ops::Range<usize>) {
            for number in numbers {
                assert_eq!(self.seen.recv_timeout(Duration::from_secs(20)), Ok(number));
            }
            assert_eq!(self.seen.recv_timeout(Duration::from_millis(50)), Err(RecvTimeoutError::Timeout));
        }
    }

    #[test]
    fn many_that_wait_are_taken_until_few_are_left_and_nobody_is_kept_at_the_end() {
        Queue::relieved_by(1, |queue| {
            (0..8).for_each(|number| queue.send(number));
            queue.loses(0..0);
            // Down to a quarter of the room, again and again.
            for (more, lost) in [(8..9, 0..5), (9..14, 5..10), (14..19, 10..15)] {
                more.for_each(|number| queue.send(number));
                queue.loses(lost);
            }
            assert_eq!(queue.sender.len(), 4);
        });
    }

    #[test]
    fn few_that_are_long_are_taken_too() {
        Queue::relieved_by(1, |queue| {
            for number in 0..3 {
                queue.relief.comes(MOST_BYTES / 2, false);
                queue.send(number);
            }
            // As long as nobody says that what was taken is gone, there is too much.
            queue.loses(0..3);
            queue.relief.taken(MOST_BYTES, false);
            queue.send(3);
            queue.loses(0..0);
        });
    }

    #[test]
    fn one_that_a_request_waits_for_is_taken_with_all_before_it() {
        Queue::relieved_by(1, |queue| {
            (0..2).for_each(|number| queue.send(number));
            queue.loses(0..0);
            queue.relief.comes(0, true);
            queue.send(2);
            queue.loses(0..3);
            queue.relief.taken(0, true);
            queue.send(3);
            queue.loses(0..0);
        });
    }

    #[test]
    fn several_relieve_each_time_and_together_take_each_once() {
        Queue::relieved_by(3, |queue| {
            let mut all = Vec::new();
            for number in 0..10_000 {
                queue.send(number);
                all.extend(queue.seen.try_iter());
            }
            while let Ok(number) = queue.seen.recv_timeout(Duration::from_millis(50)) {
                all.push(number);
            }
            assert!(queue.sender.len() <= 8, "{}", queue.sender.len());
            all.sort_unstable();
            assert!(all.into_iter().eq(0..10_000 - queue.sender.len()));
        });
    }
}
