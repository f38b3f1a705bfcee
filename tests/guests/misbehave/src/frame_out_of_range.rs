//! Names a frame that the reply does not have.

use tickrate_guest::{Outcome, OutputKind, Reply};

use crate::misdeed::{Call, Misdeed};

pub struct FrameOutOfRange;

impl Misdeed for FrameOutOfRange {
    fn to_outcome(&self, _call: &Call, reply: &Reply, outcome: &mut Outcome) {
        outcome.push(reply.frames.len(), OutputKind::Content, "more");
    }
}
