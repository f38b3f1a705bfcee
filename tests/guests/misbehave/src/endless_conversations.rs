//! Gives more conversations than it was asked for: one more, or with `"how": "huge"` two million.

use tickrate_guest::Conversation;

use crate::misdeed::{Call, Misdeed};

pub struct EndlessConversations;

impl Misdeed for EndlessConversations {
    fn to_batch(&self, call: &Call, batch: &mut Vec<Conversation>) {
        match call.how {
            // Conversations without turns are small enough for the memory of an instance.
            "huge" => batch.extend((0..2_000_000).map(|_| Conversation::from(Vec::new()))),
            _ => batch.push(Conversation::ask("one more")),
        }
    }
}
