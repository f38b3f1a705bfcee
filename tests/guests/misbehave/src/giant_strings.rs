//! Answers with 100 MiB of text.

use tickrate_guest::{Conversation, HttpRequest, Outcome, OutputKind, Reply};

use crate::misdeed::{Call, Misdeed};

const BYTES: usize = 100 << 20;

pub struct GiantStrings;

impl Misdeed for GiantStrings {
    fn to_request(&self, _call: &Call, request: &mut HttpRequest) {
        request.body = vec![0; BYTES];
    }

    fn to_outcome(&self, _call: &Call, _reply: &Reply, outcome: &mut Outcome) {
        *outcome = Outcome::default();
        outcome.push(0, OutputKind::Content, &"x".repeat(BYTES));
    }

    fn to_batch(&self, _call: &Call, batch: &mut Vec<Conversation>) {
        batch[0] = Conversation::ask("x".repeat(BYTES));
    }
}
