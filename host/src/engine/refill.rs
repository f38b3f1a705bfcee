//! Where the feeder rests while enough requests are ready. It is woken when half of them are gone, and
//! not for each one: waking a thread costs more than taking a request.

use std::sync::OnceLock;
use std::thread::{self, Thread};
use std::time::Duration;

use async_channel::Sender;

/// How long the feeder rests before it looks again whether the queue has been given up.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A resting place for one thread.
#[derive(Debug)]
pub(super) struct Refill {
    feeder: OnceLock<Thread>,
    low: usize,
}

impl Refill {
    /// For a queue of `capacity`.
    pub(super) fn new(capacity: usize) -> Refill {
        Refill { feeder: OnceLock::new(), low: capacity / 2 }
    }

    /// Returns once `queue` is no longer full, or nobody takes from it any more. It is the feeder's.
    pub(super) fn rest_while_full<T>(&self, queue: &Sender<T>) {
        self.feeder.get_or_init(thread::current);
        while queue.is_full() && !queue.is_closed() {
            thread::park_timeout(LOOK_EVERY);
        }
    }

    /// Says that something was taken and `left` is left.
    pub(super) fn taken(&self, left: usize) {
        if left <= self.low
            && let Some(feeder) = self.feeder.get()
        {
            feeder.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_is_waited_for_until_there_is_room_or_it_is_given_up() {
        let (sender, receiver) = async_channel::bounded(4);
        let refill = Refill::new(4);
        refill.rest_while_full(&sender);
        (0..4).for_each(|item| sender.send_blocking(item).unwrap());
        thread::scope(|scope| {
            let feeder = scope.spawn(|| refill.rest_while_full(&sender));
            thread::sleep(3 * LOOK_EVERY);
            assert!(!feeder.is_finished());
            assert_eq!((receiver.recv_blocking(), receiver.recv_blocking()), (Ok(0), Ok(1)));
            refill.taken(receiver.len());
            feeder.join().unwrap();
            (4..6).for_each(|item| sender.send_blocking(item).unwrap());
            let given_up = scope.spawn(|| refill.rest_while_full(&sender));
            receiver.close();
            given_up.join().unwrap();
        });
    }
}
