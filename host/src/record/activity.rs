//! What the workers are about at this moment, in a few numbers that anybody may read at any time.
//! A record comes when its request is over; these say what is going on before.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::units::Nanos;

/// Numbers that workers change as they go. Each change is one relaxed atomic operation: two for a
/// request, and one for each time an event loop is asked how late it is.
#[derive(Debug, Default)]
pub struct Activity {
    in_flight: AtomicI64,
    latest_loop_ns: AtomicI64,
}

/// A request on its way; dropping it says that it is over.
#[derive(Debug)]
pub struct InFlight<'a>(&'a Activity);

impl Activity {
    /// Says that a request begins.
    pub fn begin(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self)
    }

    /// Says how late a worker's event loop was.
    pub fn note_loop_lag(&self, lag: Nanos) {
        self.latest_loop_ns.fetch_max(lag.0, Ordering::Relaxed);
    }

    /// Requests that are in flight now.
    pub fn in_flight(&self) -> u64 {
        u64::try_from(self.in_flight.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// The latest that an event loop was since this was last asked; `None` if none was looked at.
    pub fn take_loop_lag(&self) -> Option<Nanos> {
        Some(Nanos(self.latest_loop_ns.swap(0, Ordering::Relaxed))).filter(|lag| lag.0 > 0)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_until_it_is_dropped_and_a_lag_is_taken_once() {
        let activity = Activity::default();
        let (first, second) = (activity.begin(), activity.begin());
        assert_eq!(activity.in_flight(), 2);
        drop(first);
        assert_eq!(activity.in_flight(), 1);
        drop(second);
        activity.note_loop_lag(Nanos(5));
        activity.note_loop_lag(Nanos(3));
        assert_eq!(activity.take_loop_lag(), Some(Nanos(5)));
        assert_eq!(activity.take_loop_lag(), None);
    }
}
