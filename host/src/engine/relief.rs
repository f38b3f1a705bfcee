//! Who settles replies when they pile up. The settlers have what the workers leave of the cores, which
//! keeps them from taking one from a reader in the middle of its work. Where the workers leave nothing,
//! a second set of threads with a share of their own drains the queue, in long stretches.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Mutex, PoisonError};
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
            most: capacity / 2,
        }
    }

    /// Says that a reply of `bytes` is about to be put into the queue.
    pub(super) fn comes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Says that it was, and that so many are in there now.
    pub(super) fn waits(&self, queued: usize) {
        if self.is_too_much(queued, 1) && !self.called.swap(true, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// Says that it was taken out.
    pub(super) fn taken(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether more waits than a part of what may.
    fn is_too_much(&self, queued: usize, part: usize) -> bool {
        queued > self.most / part || self.bytes.load(Ordering::Relaxed) > MOST_BYTES / part
    }

    /// Lets everybody go who rests here.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(Thread::unpark);
    }

    /// Returns whether there is work to do once there is, or none will come.
    fn rest<T>(&self, queue: &Receiver<T>) -> bool {
        loop {
            // A call that comes after this ends the rest, and one before it has left its mark in the queue.
            self.called.store(false, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            if !queue.is_empty() && self.is_too_much(queue.len(), 1) {
                return true;
            }
            if self.ended.load(Ordering::Acquire) {
                return false;
            }
            thread::park();
        }
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
        relief.resting.lock().unwrap_or_else(PoisonError::into_inner).push(thread::current());
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
    use std::sync::mpsc::{self, RecvTimeoutError};
    use std::time::Duration;

    /// Settles with `relief` what comes out of a queue of 16, and gives the sending end and what was taken.
    fn with_a_reliever(test: impl FnOnce(&Relief, &async_channel::Sender<usize>, &mpsc::Receiver<usize>)) {
        let (queue, waiting) = async_channel::bounded(16);
        let relief = Relief::new(16);
        let (taken, seen) = mpsc::channel();
        thread::scope(|scope| {
            let reliever = scope.spawn(|| {
                let mut reliever = Reliever::new(&relief, &waiting);
                while let Some(next) = reliever.next() {
                    taken.send(next).unwrap();
                }
            });
            test(&relief, &queue, &seen);
            relief.end();
            reliever.join().unwrap();
        });
    }

    const A_WHILE: Duration = Duration::from_millis(50);

    #[test]
    fn many_that_wait_are_taken_until_few_are_left_and_nobody_is_kept_at_the_end() {
        with_a_reliever(|relief, queue, seen| {
            let send = |numbers: std::ops::Range<usize>| {
                for number in numbers {
                    queue.send_blocking(number).unwrap();
                    relief.waits(queue.len());
                }
            };
            send(0..8);
            assert_eq!(seen.recv_timeout(A_WHILE), Err(RecvTimeoutError::Timeout));
            // Down to a quarter of the room, again and again.
            for (more, left) in [(8..9, 0..5), (9..14, 5..10), (14..19, 10..15)] {
                send(more);
                left.for_each(|next| assert_eq!(seen.recv(), Ok(next)));
                assert_eq!(seen.recv_timeout(A_WHILE), Err(RecvTimeoutError::Timeout));
            }
            assert_eq!(queue.len(), 4);
        });
    }

    #[test]
    fn few_that_are_long_are_taken_too() {
        with_a_reliever(|relief, queue, seen| {
            for number in 0..3 {
                relief.comes(MOST_BYTES / 2);
                queue.send_blocking(number).unwrap();
                relief.waits(queue.len());
            }
            // Nobody says that what was taken is gone, so there is always too much.
            (0..3).for_each(|number| assert_eq!(seen.recv(), Ok(number)));
            relief.taken(MOST_BYTES);
            queue.send_blocking(3).unwrap();
            relief.waits(queue.len());
            assert_eq!(seen.recv_timeout(A_WHILE), Err(RecvTimeoutError::Timeout));
        });
    }
}
