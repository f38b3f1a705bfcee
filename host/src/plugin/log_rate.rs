//! How much a plugin may write to the log: a burst, and then so many lines a second, all its
//! instances together, so that a new instance is no new burst.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Lines that may be written at once.
const BURST: f64 = 1_000.0;

/// Lines a second that may be written beyond them.
const PER_SECOND: f64 = 10.0;

/// The bucket of one plugin, shared by its instances.
#[derive(Debug, Clone, Default)]
pub(super) struct LogRate(Arc<Mutex<Bucket>>);

#[derive(Debug, Default)]
struct Bucket {
    /// Lines written and not yet made up for by time.
    level: f64,
    /// When `level` was right; none before the first line.
    at: Option<Instant>,
    /// Lines dropped since the last that was written.
    dropped: u64,
    /// Whether it was said that lines are dropped.
    told: bool,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// It is written, after so many that were not.
    Written {
        /// Lines dropped since the last that was written.
        dropped: u64,
    },
    /// It is the first to be dropped.
    FirstDropped,
    /// It is dropped like others before it.
    Dropped,
}

impl LogRate {
    /// What becomes of a line at `now`.
    pub(super) fn line(&self, now: Instant) -> Line {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let past = bucket.at.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        bucket.at = Some(now);
        bucket.level = (bucket.level - past * PER_SECOND).max(0.0);
        if bucket.level + 1.0 <= BURST {
            bucket.level += 1.0;
            return Line::Written { dropped: std::mem::take(&mut bucket.dropped) };
        }
        bucket.dropped += 1;
        if std::mem::replace(&mut bucket.told, true) { Line::Dropped } else { Line::FirstDropped }
    }

    /// The bound in words.
    pub(super) fn bound() -> String {
        format!("{BURST} lines at once and {PER_SECOND} a second")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_written_and_then_so_many_a_second() {
        let rate = LogRate::default();
        let start = Instant::now();
        let lines = |count: usize, ms: u64| {
            let at = start + Duration::from_millis(ms);
            (0..count).map(|_| rate.clone().line(at)).collect::<Vec<_>>()
        };
        assert!(lines(1_000, 0).iter().all(|line| *line == Line::Written { dropped: 0 }));
        assert_eq!(lines(3, 0), [Line::FirstDropped, Line::Dropped, Line::Dropped]);
        assert_eq!(lines(2, 150), [Line::Written { dropped: 3 }, Line::Dropped]);
        let later = lines(600, 50_150);
        assert_eq!(later.iter().filter(|line| **line != Line::Dropped).count(), 500);
        assert_eq!(later[0], Line::Written { dropped: 1 });
    }
}
