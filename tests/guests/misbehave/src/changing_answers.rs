//! Answers the same question each time in another way.

use tickrate_guest::{Conversation, HttpRequest, Outcome, Reply};

use crate::misdeed::{Call, Misdeed};

pub struct ChangingAnswers;

impl Misdeed for ChangingAnswers {
    fn to_request(&self, call: &Call, request: &mut HttpRequest) {
        request.headers.push(("X-Call".into(), call.number.to_string()));
    }

    fn to_outcome(&self, call: &Call, _reply: &Reply, outcome: &mut Outcome) {
        outcome.labels.push(("call".into(), call.number.to_string()));
    }

    /// What comes depends on how many were asked for before.
    fn to_batch(&self, call: &Call, batch: &mut Vec<Conversation>) {
        for conversation in batch {
            *conversation = Conversation::ask(format!("question of call {}", call.number));
        }
    }
}
