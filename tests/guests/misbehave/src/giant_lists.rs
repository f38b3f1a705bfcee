//! Answers with lists of six million entries.

use tickrate_guest::{Conversation, HttpRequest, Outcome, OutputFrame, OutputKind, Reply, Turn};

use crate::misdeed::{Call, Misdeed};

const MANY: usize = 6_000_000;

pub struct GiantLists;

impl Misdeed for GiantLists {
    fn to_request(&self, _call: &Call, request: &mut HttpRequest) {
        request.headers = vec![(String::new(), String::new()); MANY];
    }

    fn to_outcome(&self, _call: &Call, _reply: &Reply, outcome: &mut Outcome) {
        let one = OutputFrame { frame: 0, kind: OutputKind::Content, text_bytes: 0, tokens: None };
        outcome.outputs = vec![one; MANY];
    }

    fn to_batch(&self, _call: &Call, batch: &mut Vec<Conversation>) {
        let turns: Vec<Turn> = batch[0].turns.drain(..).collect();
        batch[0] = Conversation { labels: vec![(String::new(), String::new()); MANY], ..turns.into() };
    }
}
