//! Reads both clocks and sleeps for a second, and tells the record what came of it.

use std::time::{Duration, Instant, SystemTime};

use tickrate_guest::{Outcome, Reply};

use crate::misdeed::{Call, Misdeed};

pub struct ReadsClocks;

impl Misdeed for ReadsClocks {
    fn to_outcome(&self, _call: &Call, _reply: &Reply, outcome: &mut Outcome) {
        let begun = Instant::now();
        std::thread::sleep(Duration::from_secs(1));
        outcome.labels.push(("slept_ms".into(), begun.elapsed().as_millis().to_string()));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        outcome.labels.push(("unix_s".into(), now.as_secs().to_string()));
    }
}
